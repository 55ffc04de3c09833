"""``penchant profile``: what a day or a span of days holds, as a page to look at."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from infra.partitions import Span


def register(app: typer.Typer) -> None:
    app.command()(profile)


def profile(
    days: Annotated[str, typer.Argument(metavar="DAY|START..END", help="A closed day, or several up to before END.")],
    out: Annotated[Path | None, typer.Option(help="The file to write; by default one in the lake.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Write a page about closed days: what they hold, and where every row of their deliveries went."""
    from infra.cli.output import print_json
    from infra.settings import load_settings
    from validation.profile.report import report

    found, path = report(load_settings(), _span(days), out)
    if as_json:
        print_json({**found.model_dump(mode="json"), "page": path})
    else:
        typer.echo(path)


def _span(days: str) -> Span:
    """Read ``DAY`` or ``START..END``, as a span is written."""
    from datetime import date

    from infra.errors import SettingsError
    from infra.partitions import Span

    start, between, end = days.partition("..")
    try:
        first = date.fromisoformat(start)
        last = date.fromisoformat(end) if between else None
    except ValueError as error:
        raise SettingsError(
            f"{days!r} is neither a day nor a span.",
            "Write a day as 2010-12-09, several as 2010-12-01..2010-12-10; the end is the day after the last.",
        ) from error
    return Span(first, last) if last else Span.of_day(first)
