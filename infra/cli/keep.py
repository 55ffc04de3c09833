"""``penchant keep``: merge the small files of old days and remove what had its time, by hand."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from typing import Annotated, Any

import typer

KINDS = {
    "landing": "raw files of published deliveries",
    "quarantine": "files of refused rows, emptied",
    "reports": "reports",
    "replaced": "files of events that nobody reads any more",
    "leftovers": "leftovers of killed processes",
}


def register(app: typer.Typer) -> None:
    app.command()(keep)


def keep(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go, and change nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Merge the small files of old days, and remove what had its time (the settings keep_… and merge_…)."""
    from dags import steps
    from infra.settings import load_settings

    settings = load_settings()
    done: dict[str, Any] = {"dry_run": dry_run}
    try:
        with redirect_stdout(sys.stderr):
            done["merged"] = steps.merge_days(settings, dry_run=dry_run)
            done["removed"] = steps.retire_files(settings, dry_run=dry_run)
            done["inbox"] = steps.retire_inbox(settings, dry_run=dry_run)
            done["served"] = steps.retire_served(settings, dry_run=dry_run)
    finally:
        # the inbox comes last: what was done is told also while PostgreSQL does not answer
        _tell(done, as_json)


def _tell(done: dict[str, Any], as_json: bool) -> None:
    from infra.cli.output import print_json

    if as_json:
        print_json(done)
        return
    typer.echo("Nothing was changed; this would go:" if done["dry_run"] else "Done:")
    if merged := done.get("merged"):
        after = "" if done["dry_run"] else f", now {_megabytes(merged['bytes_after'])}"
        weight = f"{_megabytes(merged['bytes_before'])}{after}"
        _line(merged["days"], f"days merged, of {merged['files']:,} files ({weight})", merged["waiting"])
        for day in merged["left"]:
            typer.echo(f"              {day} is left: a publishing was cut short there, run it again")
    for kind, removed in done.get("removed", {}).items():
        _line(removed["files"], f"{KINDS[kind]} ({_megabytes(removed['bytes'])})", removed["waiting"])
    for table, what in (("inbox", "rows of the inbox"), ("served", "answers kept to be compared")):
        if rows := done.get(table):
            _line(rows["rows"], what, 0)


def _line(count: int, what: str, waiting: int) -> None:
    more = f"; {waiting:,} more wait for the next run" if waiting else ""
    typer.echo(f"  {count:>10,}  {what}{more}")


def _megabytes(number: int) -> str:
    return f"{number / 1e6:,.1f} MB"
