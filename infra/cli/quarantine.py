"""``penchant quarantine``: the rows that were refused; look at them, take them again, or drop them for good."""

from __future__ import annotations

import getpass
import json
from typing import TYPE_CHECKING, Annotated

import typer

from infra.cli.ingest import Json, notes_to_stderr, show

if TYPE_CHECKING:
    from validation.quarantine import Which

Delivery = Annotated[str | None, typer.Option(help="Only rows of this delivery.")]
Rule = Annotated[str | None, typer.Option(help="Only rows that have this among their reasons.")]
Day = Annotated[str | None, typer.Option(help="Only rows of this day (YYYY-MM-DD).")]
Rows = Annotated[str | None, typer.Option("--row", help="Only this row, DELIVERY:POSITION.")]


def register(app: typer.Typer) -> None:
    group = typer.Typer(help=__doc__, no_args_is_help=True)
    group.command("list")(listing)
    group.command("show")(show_row)
    group.command("replay")(replay)
    group.command("drop")(drop)
    app.add_typer(group, name="quarantine")


def listing(
    delivery: Delivery = None,
    rule: Rule = None,
    day: Day = None,
    every: Annotated[
        bool, typer.Option("--all", help="Also rows that were replayed, dropped, or refused before.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, help="At most so many rows.")] = 20,
    as_json: Json = False,
) -> None:
    """List refused rows, and how many there are for each reason."""
    from rich.console import Console
    from rich.table import Table

    from infra.cli.output import print_json
    from infra.settings import load_settings
    from validation.quarantine import Which, by_reason, refused

    lake = load_settings().lake
    which = Which(delivery=delivery, rule=rule, day=day, state=None if every else "open")
    reasons, rows = by_reason(lake, which), refused(lake, which, limit).to_pylist()
    if as_json:
        print_json({"reasons": reasons, "rows": rows})
        return
    if not rows and not every:
        typer.echo("No row is open; --all lists those that were replayed, dropped, or refused before.")
        return
    for reason, count in reasons.items():
        typer.echo(f"{count:>10,}  {reason}")
    table = Table("row", "file", "row of the file", "day", "reasons", "state", box=None, pad_edge=False)
    for row in rows:
        where = f"{row['delivery_id']}:{row['position']}"
        cells = (where, row["file"], str(row["row"]), str(row["day"] or ""), ", ".join(row["reasons"]), row["state"])
        table.add_row(*cells)
    # names are there to be copied: none is cut, however wide the screen is
    Console(soft_wrap=True, width=1000).print(table)


def show_row(row: Annotated[str, typer.Argument(help="DELIVERY:POSITION, as the list has it.")]) -> None:
    """Show one refused row: the original, every reason, and what became of it."""
    from infra.cli.output import print_json
    from infra.errors import DeliveryError
    from infra.settings import load_settings
    from validation.quarantine import Which, refused

    found = refused(load_settings().lake, Which(row=row, state=None)).to_pylist()
    if not found:
        raise DeliveryError(f"There is no refused row {row}.", "See which there are: penchant quarantine list --all.")
    print_json({**found[0], "original": json.loads(found[0]["original"])})


def replay(
    delivery: Delivery = None,
    rule: Rule = None,
    day: Day = None,
    row: Rows = None,
    reason: Annotated[str, typer.Option(help="What was mended; kept with the rows.")] = "",
    features: Annotated[bool, typer.Option(help="Also build the features and load the online store.")] = False,
    as_json: Json = False,
) -> None:
    """Take open rows again, by today's rules; they keep their ids, and are known from now on."""
    from dags import steps
    from infra.settings import load_settings
    from validation.replay import settle, stage_replay

    settings = load_settings()
    if features:
        steps.require_stores(settings)
    replays = stage_replay(settings, _which(delivery, rule, day, row))
    for one in replays:
        with notes_to_stderr():
            deliveries = steps.check(settings, [one.manifest.delivery_id], one.manifest.span)
            steps.publish(settings, deliveries, one.manifest.span)
        settle(settings, one, getpass.getuser(), reason)
    if features:
        with notes_to_stderr():
            last = max(one.manifest.span for one in replays)
            steps.materialise(settings, steps.span_of_params(steps.build(settings, last)))
    show(settings, [one.manifest.delivery_id for one in replays], as_json)


def drop(
    reason: Annotated[str, typer.Option(help="Why these rows will never be taken; kept with them.")],
    delivery: Delivery = None,
    rule: Rule = None,
    day: Day = None,
    row: Rows = None,
) -> None:
    """Decide that open rows will never be taken. They stay in the quarantine, with the reason."""
    from infra.settings import load_settings
    from validation.replay import drop as drop_rows

    settings = load_settings()
    count = drop_rows(settings, _which(delivery, rule, day, row), getpass.getuser(), reason)
    typer.echo(f"{count:,} rows dropped.")


def _which(delivery: str | None, rule: str | None, day: str | None, row: str | None) -> Which:
    from infra.errors import SettingsError
    from validation.quarantine import Which

    if not any((delivery, rule, day, row)):
        raise SettingsError(
            "Which rows are meant is not said.", "Name them with --delivery, --rule, --day or --row DELIVERY:POSITION."
        )
    return Which(delivery=delivery, rule=rule, day=day, row=row)
