"""What is built of a history is the same before and after its files were merged and had their time."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from features.build import build
from features.days import due
from features.engine import connect
from features.events.arrivals import take_day
from features.events.keeping.compaction import compact
from features.events.keeping.leftovers import leftovers
from features.events.keeping.retention import retire
from features.events.log import event_files
from features.events.publish import publish
from infra.partitions import Span
from infra.settings import Settings

START = date(2010, 1, 4)
SPAN = Span(START, START + timedelta(days=5))
MUCH_LATER = datetime(2012, 1, 1, tzinfo=UTC)


@pytest.fixture
def settings(tmp_path: Path, make_settings: Callable[..., Settings]) -> Settings:
    lengths = {"window_days": (1, 3), "half_life_days": (7, 30)}
    return make_settings(tmp_path / "home", clock="2010-02-01T00:00:00+00:00", source="canonical", **lengths)


def rows(day: date) -> list[dict[str, Any]]:
    """What is delivered for a day: its own events, late ones of the two days before at the same hours, a bad one."""
    found = []
    for number in range(30):
        happened = day - timedelta(days=(0, 0, 1, 2)[number % 4])
        kind = ("view", "cart", "purchase")[number % 3]
        moment = f"{happened} {8 + number % 5:02}:00:00"
        made = {"user_id": f"u{number % 4}", "item_id": f"i{number % 7}", "event_type": kind, "occurred_at": moment}
        found.append({**made, "price": 100 + number, "dwell_ms": 7000 * number, "title": f"RED MUG {number % 7}"})
    return [*found, {**found[0], "event_type": "dance"}]


def deliver(settings: Settings, day: date) -> None:
    path = settings.lake.landing_day("canonical", day) / "day.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows(day)))
    delivered = {"delivered_at": f"{day + timedelta(days=1)}T01:00:00+00:00"}
    path.with_name("_delivery.json").write_text(json.dumps(delivered))
    take(settings, day)


def take(settings: Settings, day: date) -> None:
    publish(settings, [manifest.delivery_id for manifest in take_day(settings, "canonical", day)], gated=False)


def keep(settings: Settings) -> None:
    """Merge and remove all that can be, as if everything had been there for years."""
    assert compact(settings, MUCH_LATER).days == 4
    for folder in (settings.lake.root / "events", settings.lake.root / "partitions"):
        for path in [folder, *folder.rglob("*")]:
            os.utime(path, (0, 0))
    gone = retire(settings, MUCH_LATER, datetime.now(UTC))
    assert (gone.landing.files, gone.quarantine.files, gone.replaced.files) == (5, 5, 11)
    assert [len(event_files(settings.lake, Span.of_day(day))) for day in SPAN.days()] == [1] * 5


@pytest.mark.thorough
def test_features_are_the_same_before_and_after(settings: Settings, shop_of: Any) -> None:
    for day in SPAN.days():
        deliver(settings, day)
    shop, last = shop_of(settings), Span.of_day(SPAN.end - timedelta(days=1))
    build(settings, SPAN)
    before = shop.bytes_of("tiles", "features")
    assert len(before) > 8 * len(SPAN)  # tiles, views, and what late rows changed of them

    keep(settings)
    assert due(settings, last) == last
    build(settings, SPAN)
    assert shop.bytes_of("tiles", "features") == before

    for day in SPAN.days():
        take(settings, day)
    assert due(settings, last) == last
    build(settings, SPAN)
    assert shop.bytes_of("tiles", "features") == before


@pytest.mark.thorough
def test_late_rows_after_a_merge_make_their_day_due(settings: Settings) -> None:
    for day in SPAN.days():
        deliver(settings, day)
    build(settings, SPAN)
    keep(settings)
    deliver(settings, SPAN.end)
    assert due(settings, Span.of_day(SPAN.end)) == Span(SPAN.end - timedelta(days=2), SPAN.end + timedelta(days=1))


def test_what_a_living_process_spills_is_not_left(settings: Settings) -> None:
    before = datetime.now(UTC).timestamp() + 1e6
    with connect(settings):
        assert leftovers(settings.lake, before) == []
        [folder] = settings.lake.spill.iterdir()
        os.utime(folder, (0, 0))  # before this process began: its number was another's then
        assert leftovers(settings.lake, before) == [folder]
