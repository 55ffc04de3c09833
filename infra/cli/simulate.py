"""``penchant simulate``: a synthetic shop of any size, with the truth that was planted beside its log."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from infra.cli.ingest import DAY, Json


def register(app: typer.Typer) -> None:
    app.command()(simulate)


def simulate(
    out: Annotated[Path, typer.Argument(help="A folder that does not exist yet.")],
    users: Annotated[int, typer.Option(min=1)] = 10_000,
    items: Annotated[int, typer.Option(min=1)] = 2_000,
    categories: Annotated[int, typer.Option(min=2)] = 20,
    days: Annotated[int, typer.Option(min=1)] = 60,
    start: Annotated[datetime, typer.Option(formats=DAY, help="The first day.")] = datetime(2025, 1, 1),  # noqa: DTZ001 (a day)
    events: Annotated[int | None, typer.Option(min=1, help="About so many; by default what its users do.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed and sizes give the same bytes.")] = 1,
    as_json: Json = False,
) -> None:
    """Draw a shop whose users' interests begin, fade and migrate as written beside its log.

    For load, and to see whether what was planted is found again; never for claims of quality.
    """
    from pydantic import ValidationError

    from features.events.simulator.shop import Shop
    from features.events.simulator.simulate import simulate as draw
    from infra.cli.output import print_json
    from infra.errors import SettingsError

    sizes = {
        "users": users,
        "items": items,
        "categories": categories,
        "days": days,
        "seed": seed,
        "start": start.date(),
    }
    try:
        shop = Shop.model_validate(sizes) if events is None else Shop.with_events(events, **sizes)
    except ValidationError as error:
        found = error.errors()[0]
        named = ", ".join(map(str, found["loc"])) or "the shop"
        raise SettingsError(f"No such shop can be drawn: {named}: {found['msg']}.", "Choose other sizes.") from error
    drawn = draw(shop, out)
    if as_json:
        print_json({**drawn, "out": out})
    else:
        typer.echo(
            f"{drawn['events']:,} events of {drawn['users']:,} users in {out}. Take them: penchant ingest {out}/log"
        )
