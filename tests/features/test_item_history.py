"""Items as they were: versions follow one another, whoever told them, and an event joins the one of its moment."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from features.build import build
from features.days import due
from features.events.ingest import ingest
from features.events.publish import publish
from features.item_history import ITEM_HISTORY, SINCE_US, UNTIL_US, item_history
from infra.partitions import Span
from infra.settings import Settings

pytestmark = pytest.mark.thorough  # seconds in sum

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Row = dict[str, Any]


@pytest.fixture
def mall(tmp_path: Path, make_settings: Callable[..., Settings]) -> Settings:
    return make_settings(tmp_path / "home", clock="2010-12-20T00:00:00+00:00")


def view(item: str, moment: str, **more: Any) -> Row:
    return {"user_id": "u", "item_id": item, "event_type": "view", "occurred_at": moment, **more}


def deliver(mall: Settings, day: int, events: list[Row], items: list[Row] = [], *, bulk: bool = False) -> None:  # noqa: B006
    folder = mall.home / f"{day}"
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for name, rows in (("events", events), ("items", items)):
        if rows:
            path = folder / f"{name}.jsonl"
            path.write_text("".join(json.dumps(row) + "\n" for row in rows))
            files.append(path)
    span = Span.of_day(date(2010, 12, day))
    delivered = datetime(2010, 12, day + 1, 1, tzinfo=UTC)
    manifest = ingest(mall, "canonical", files, span, bulk=bulk, delivered_at=delivered)
    publish(mall, [manifest.delivery_id], gated=False)


def versions(mall: Settings, item: str) -> list[tuple[Any, ...]]:
    """(title, category, brand, price) and since when, of one item."""
    table = item_history(mall)
    assert table.schema == ITEM_HISTORY
    rows = [row for row in table.to_pylist() if row["item_id"] == item]
    for row, after in pairwise(rows):
        assert row[UNTIL_US] == after[SINCE_US]
    return [
        (
            row["title"],
            row["category"],
            row["brand"],
            row["price"],
            EPOCH + timedelta(microseconds=row[SINCE_US]) if row[SINCE_US] > 0 else None,
        )
        for row in rows
    ]


def test_a_lake_without_deliveries_has_no_history(mall: Settings) -> None:
    assert item_history(mall).num_rows == 0


def test_a_stated_change_holds_from_its_moment_and_keeps_what_it_does_not_say(mall: Settings) -> None:
    items = [
        {"item_id": "a", "title": "MUG", "category_path": "Home > Kitchen", "price": 100},
        {"item_id": "a", "price": 120, "valid_from": "2010-12-01T12:00:00Z"},
        {"item_id": "a", "category_path": "Garden", "valid_from": "2010-12-01T18:00:00Z"},
    ]
    deliver(mall, 1, [view("a", "2010-12-01 08:00:00")], items)
    assert versions(mall, "a") == [
        ("MUG", "Kitchen", None, 100, None),
        ("MUG", "Kitchen", None, 120, datetime(2010, 12, 1, 12, tzinfo=UTC)),
        ("MUG", "Garden", None, 120, datetime(2010, 12, 1, 18, tzinfo=UTC)),
    ]


def test_what_is_told_late_takes_effect_with_its_delivery(mall: Settings) -> None:
    deliver(mall, 1, [view("a", "2010-12-01 08:00:00", title="MUG")])
    deliver(mall, 3, [view("b", "2010-12-03 08:00:00")], [{"item_id": "a", "title": "CUP", "valid_from": "2010-11-01"}])
    assert [row[::4] for row in versions(mall, "a")] == [("MUG", None), ("CUP", datetime(2010, 12, 3, tzinfo=UTC))]


def test_a_file_of_items_has_the_last_word_over_the_log(mall: Settings) -> None:
    deliver(mall, 1, [view("a", "2010-12-01 08:00:00", title="mug?", brand="Acme")], [{"item_id": "a", "title": "MUG"}])
    assert [row[0] for row in versions(mall, "a")][-1] == "MUG"
    assert versions(mall, "a")[-1][2] == "Acme"


def test_saying_the_same_again_is_no_change(mall: Settings) -> None:
    for day in (1, 2, 3):
        deliver(mall, day, [view("a", f"2010-12-0{day} 08:00:00", title="RED MUG", price=5)])
    assert versions(mall, "a") == [("RED MUG", "mug", None, 5, None)]


def test_building_days_one_by_one_or_all_again_joins_the_same_versions(mall: Settings) -> None:
    def sequences() -> dict[str, bytes]:
        folder = mall.lake.feature_folder("user_sequence")
        return {path.name: path.read_bytes() for path in folder.glob("*.parquet")}

    for day, title in ((1, "RED MUG"), (2, "TIN BOX"), (3, "GLASS VASE")):
        rows = [view("a", f"2010-12-0{day} 08:00:00", title=title)]
        # a late row of the day before brings a title too
        rows += [view("a", f"2010-12-0{day - 1} 20:00:00", title=title)] if day > 1 else []
        deliver(mall, day, rows)
        build(mall, due(mall, Span.of_day(date(2010, 12, day))))
    step_by_step = sequences()
    build(mall, Span(date(2010, 12, 1), date(2010, 12, 4)))
    assert sequences() == step_by_step


def test_a_history_in_one_pass_gives_the_versions_of_its_days(
    mall: Settings, tmp_path: Path, make_settings: Callable[..., Settings]
) -> None:
    days = [
        [("RED MUG", 100), ("RED MUG", 100), ("RED MUGS", 90)],
        [("RED MUG", 100)],
        [("RED MUG", 120), (None, None)],
        [("BLUE MUG", 120)],
    ]
    rows = [
        [
            view("a", f"2010-12-0{day} {8 + n:02}:00:00", title=title, price=price)
            for n, (title, price) in enumerate(said)
        ]
        for day, said in enumerate(days, 1)
    ]
    for day, events in enumerate(rows, 1):
        deliver(mall, day, events)
    bulk = make_settings(tmp_path / "bulk", clock=mall.clock)
    path = tmp_path / "history.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for events in rows for row in events))
    span = Span(date(2010, 12, 1), date(2010, 12, 5))
    manifest = ingest(bulk, "canonical", [path], span, bulk=True, delivered_at=datetime(2010, 12, 5, 1, tzinfo=UTC))
    publish(bulk, [manifest.delivery_id], gated=False)
    assert [version[:4] for version in versions(bulk, "a")] == [
        ("RED MUG", "mug", None, 100),
        ("RED MUG", "mug", None, 120),
        ("BLUE MUG", "mug", None, 120),
    ]
    assert versions(bulk, "a") == versions(mall, "a")
