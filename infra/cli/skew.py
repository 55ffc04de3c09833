"""``penchant skew``: whether a day's answers were made from what the lake says."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from datetime import datetime
from typing import Annotated

import typer

SKEWED = 1


def register(app: typer.Typer) -> None:
    app.command()(skew)


def skew(
    day: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="A closed day; by default the last one.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Compare the answers kept of a day with what their users' features should have been; exits 1 if they differ."""
    from dags import steps
    from infra.cli.output import print_json
    from infra.settings import load_settings

    settings = load_settings()
    with redirect_stdout(sys.stderr if as_json else sys.stdout):
        report = steps.check_skew(settings, day.date() if day else None)
    if as_json:
        print_json(report)
    else:
        typer.echo(settings.lake.skew(datetime.fromisoformat(report["day"]).date()).with_suffix(".md"))
    if report["skewed"]:
        raise typer.Exit(SKEWED)
