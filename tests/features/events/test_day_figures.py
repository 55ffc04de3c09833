"""A closed day keeps what a later one is compared with, for every source."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from features.events.partition import close
from infra.lake import read_json
from infra.partitions import Span
from infra.settings import Settings

pytestmark = pytest.mark.thorough  # seconds in sum

DAY = date(2010, 12, 1)
HEADER = "user_id,item_id,event_type,occurred_at,price"


@pytest.fixture
def deliver(shop: Settings, take: Callable[..., Any], tmp_path: Path) -> Callable[..., Any]:
    """Publish canonical rows for a day, under one of the two canonical sources."""

    def make(day: date, *rows: str, source: str = "canonical") -> Any:
        path = tmp_path / f"{source}-{day}.csv"
        path.write_text("\n".join([HEADER, *rows, ""]))
        return take(path, span=Span.of_day(day), source=source)

    return make


def kept(shop: Settings, day: date, source: str = "canonical") -> dict[str, Any]:
    found: dict[str, Any] = read_json(shop.lake.partition(day))["by_source"][source]
    return found


def test_the_figures_of_a_day_are_told_by_source(shop: Settings, deliver: Callable[..., Any]) -> None:
    deliver(
        DAY,
        f",a,view,{DAY} 09:00:00,",
        f"u,a,purchase,{DAY} 10:00:00,300",
        f"u,b,purchase,{DAY} 11:00:00,100",
        f"u,b,purchase,{DAY} 12:00:00,200",
        f"u,c,return,{DAY} 13:00:00,900",
        f"u,,search,{DAY} 22:30:00,",
    )
    deliver(DAY, f"u,a,view,{DAY} 00:00:00,", source="inbox")
    assert kept(shop, DAY) == {
        "rows": 6, "guests": 1, "mix": {"view": 1, "purchase": 3, "return": 1, "search": 1},
        "items": 3, "new_items": 3, "price": 200, "idle_minutes": 90.0,
    }  # fmt: skip
    # what another source brings on the same day is as new as the first's
    assert kept(shop, DAY, "inbox") == {
        "rows": 1, "guests": 0, "mix": {"view": 1}, "items": 1, "new_items": 1, "price": None, "idle_minutes": 1440.0
    }  # fmt: skip


def test_an_item_is_new_again_when_the_days_that_had_it_are_forgotten(
    shop: Settings, deliver: Callable[..., Any]
) -> None:
    short = shop.model_copy(update={"gate_history_days": 3})
    counted = []
    for offset, item, source in ((0, "a", "canonical"), (3, "a", "inbox"), (7, "a", "inbox"), (8, "b", "inbox")):
        day = DAY + timedelta(days=offset)
        deliver(day, f"u,{item},view,{day} 10:00:00,", f"u,,search,{day} 10:00:00,", source=source)
        close(short, [day])
        counted.append((kept(shop, day, source)["items"], kept(shop, day, source)["new_items"]))
    assert counted == [(1, 1), (1, 0), (1, 1), (1, 1)]


def test_days_that_are_closed_together_know_of_each_other(
    shop: Settings, take: Callable[..., Any], tmp_path: Path
) -> None:
    path = tmp_path / "history.csv"
    days = list(Span(DAY, DAY + timedelta(days=3)).days())
    path.write_text("\n".join([HEADER, *(f"u,i{n % 2},view,{day} 10:00:00," for n, day in enumerate(days)), ""]))
    take(path, span=Span(days[0], days[-1] + timedelta(days=1)), source="canonical", bulk=True)
    assert [kept(shop, day)["new_items"] for day in days] == [1, 1, 0]
    before = [shop.lake.partition(day).read_bytes() for day in days]
    close(shop, days)
    assert [shop.lake.partition(day).read_bytes() for day in days] == before


def test_a_days_end_is_the_shops(
    make_settings: Callable[..., Settings], tmp_path: Path, deliver: Callable[..., Any], shop: Settings
) -> None:
    """22:30 in London is 23:30 in Paris."""
    deliver(DAY, f"u,a,view,{DAY} 22:30:00,")
    assert kept(shop, DAY)["idle_minutes"] == 90.0
    close(shop.model_copy(update={"timezone": "Europe/Paris"}), [DAY])
    assert kept(shop, DAY)["idle_minutes"] == 30.0
