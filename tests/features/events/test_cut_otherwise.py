"""The same rows delivered again, in part, under another name, in another format, or cut by hour, change nothing."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.events.ingest import ingest
from features.events.manifest import Manifest
from features.events.publish import publish
from infra.partitions import Span
from infra.settings import Settings

pytestmark = pytest.mark.thorough  # seconds in sum

DAY = date(2010, 12, 1)
NOW = datetime(2010, 12, 9, tzinfo=UTC)
Row = dict[str, Any]


@pytest.fixture
def rows() -> list[Row]:
    """A day of clicks to the second, of few users and items, so that many are equal in every column."""
    drawn = random.Random(3)  # noqa: S311 (a log, no secret)
    return [
        {
            "user_id": f"u{drawn.randrange(2)}",
            "item_id": f"i{drawn.randrange(2)}",
            "event_type": "click",
            "occurred_at": f"2010-12-01 {drawn.randrange(24):02}:00:0{drawn.randrange(2)}",
            "quantity": None,
        }
        for _ in range(400)
    ]


def written(path: Path, rows: list[Row]) -> Path:
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def deliver(shop: Settings, tmp_path: Path) -> Callable[..., Manifest]:
    def make(rows: list[Row], name: str) -> Manifest:
        path = written(tmp_path / name, rows)
        manifest = ingest(shop, "canonical", [path], Span.of_day(DAY), bulk=False, delivered_at=NOW)
        publish(shop, [manifest.delivery_id], gated=False)
        return manifest

    return make


def ids(shop: Settings, day: date = DAY) -> list[str]:
    files = sorted(shop.lake.events_day(day).glob("*.parquet"))
    return sorted(event for path in files for event in pq.ParquetFile(path).read()["event_id"].to_pylist())


def hour(row: Row) -> str:
    return str(row["occurred_at"][11:13])


def test_the_day_first_and_then_its_hours_and_halves(shop: Settings, deliver: Any, rows: list[Row]) -> None:
    first = deliver(rows, "day.jsonl")
    assert first.accepted == len(rows)
    before = ids(shop)
    assert len(set(before)) == len(rows)
    assert deliver(rows, "other.jsonl") == first.model_copy(update={"files": deliver(rows, "other.jsonl").files})
    parts = [[row for row in rows if hour(row) == name] for name in sorted({hour(row) for row in rows})]
    again = [deliver(part, f"hour-{number}.jsonl") for number, part in enumerate(parts)]
    again += [deliver(rows[:150], "half.jsonl"), deliver(rows, "day.parquet")]
    assert sum(manifest.accepted for manifest in again) == 0
    assert ids(shop) == before


def test_the_hours_first_and_then_the_day(shop: Settings, deliver: Any, rows: list[Row]) -> None:
    for name in sorted({hour(row) for row in rows}):
        deliver([row for row in rows if hour(row) == name], f"hour-{name}.jsonl")
    before = ids(shop)
    assert len(set(before)) == len(rows)
    assert deliver(rows, "day.jsonl").duplicate == len(rows)
    assert ids(shop) == before


@pytest.mark.parametrize(
    "together", [["day.jsonl", "hours.jsonl"], ["half.jsonl", "day.jsonl", "day.parquet"], ["hours.jsonl", "day.jsonl"]]
)
def test_a_day_and_its_parts_in_one_delivery_are_the_day(
    shop: Settings, tmp_path: Path, rows: list[Row], together: list[str]
) -> None:
    hours = [[row for row in rows if hour(row) == name] for name in sorted({hour(row) for row in rows})]
    parts = {"half.jsonl": [rows[:150]], "hours.jsonl": hours}
    files = [
        written(tmp_path / f"{number}-{name}", part)
        for name in together
        for number, part in enumerate(parts.get(name, [rows]))
    ]
    manifest = ingest(shop, "canonical", files, Span.of_day(DAY), bulk=False, delivered_at=NOW)
    assert manifest.accepted == len(rows)
    assert manifest.duplicate == manifest.rows_in - len(rows) > 0


def test_a_part_first_and_the_whole_afterwards_is_the_whole(shop: Settings, deliver: Any, rows: list[Row]) -> None:
    deliver(rows[:150], "part.jsonl")
    deliver(rows[100:], "rest.jsonl")
    whole = deliver(rows, "day.jsonl")
    # equal rows that lay in both parts were taken for one another; the whole brings back what was left out
    assert len(ids(shop)) == len(set(ids(shop))) == len(rows)
    assert whole.accepted + whole.duplicate == len(rows)


@pytest.mark.parametrize("cut", [[[0, 1, 2]], [[0, 1], [2]], [[2], [0], [1]]])
def test_an_id_on_two_days_is_an_event_of_each_however_it_is_cut(
    shop: Settings, tmp_path: Path, cut: list[list[int]]
) -> None:
    days = [DAY, DAY, DAY + timedelta(days=1)]
    accounts = []
    for places in cut:
        rows = [{"event_id": "e", "user_id": f"u{n}", "item_id": "i", "event_type": "view"} for n in places]
        times = [{"occurred_at": f"{days[n]} 10:00"} for n in places]
        path = written(tmp_path / f"{places}.jsonl", [{**row, **at} for row, at in zip(rows, times, strict=True)])
        span = Span(days[places[0]], days[places[-1]] + timedelta(days=1))
        manifest = ingest(shop, "canonical", [path], span, bulk=False, delivered_at=NOW)
        publish(shop, [manifest.delivery_id], gated=False)
        accounts.append((manifest.accepted, manifest.duplicate))
    assert tuple(map(sum, zip(*accounts, strict=True))) == (2, 1)
    assert [len(ids(shop, day)) for day in days[1:]] == [1, 1]
