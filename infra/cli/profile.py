"""``penchant profile``: what a day or a span of days holds, as a page to look at."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from infra.cli.days import METAVAR, span_of


def register(app: typer.Typer) -> None:
    app.command()(profile)


def profile(
    days: Annotated[str, typer.Argument(metavar=METAVAR, help="A closed day, or several up to before END.")],
    out: Annotated[Path | None, typer.Option(help="The file to write; by default one in the lake.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Write a page about closed days: what they hold, and where every row of their deliveries went."""
    from infra.cli.output import print_json
    from infra.settings import load_settings
    from validation.profile.report import report

    found, path = report(load_settings(), span_of(days), out)
    if as_json:
        print_json({**found.model_dump(mode="json"), "page": path})
    else:
        typer.echo(path)
