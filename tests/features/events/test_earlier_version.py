"""Files of events from before there were countries and campaigns are read as if nobody had said one."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from features.build import build
from features.events.keeping.counting import count_days
from features.events.keeping.merging import merge
from features.events.log import event_files
from features.events.schema import ADDED
from features.events.scratch import scratch
from infra.lake import read_json
from infra.partitions import Span
from infra.settings import Settings

pytestmark = pytest.mark.thorough  # seconds in sum

FIRST, SECOND = date(2010, 12, 1), date(2010, 12, 2)
SPAN = Span(FIRST, date(2010, 12, 3))


@pytest.fixture
def earlier(shop: Settings, take: Any, write: Any, line: Any) -> Path:
    """The file of the first of two days, as an earlier version wrote it; a late row of it came with the second."""
    take(write("a.csv", [line(Invoice="1", Country="")]), span=Span.of_day(FIRST))
    [path] = event_files(shop.lake, Span.of_day(FIRST))
    pq.write_table(pq.ParquetFile(path).read().drop_columns(list(ADDED)), path)
    days = (FIRST, SECOND)
    take(write("b.csv", [line(Invoice="2", InvoiceDate=f"{day} 08:26:00") for day in days]), span=Span.of_day(SECOND))
    return path


def test_digests_hold(shop: Settings, earlier: Path, tmp_path: Path) -> None:
    with scratch(shop, tmp_path) as connection:
        found = count_days(connection, event_files(shop.lake, SPAN))
    assert {day: row["digest"] for day, row in found.items()} == {
        day: read_json(shop.lake.partition(day))["digest"] for day in SPAN.days()
    }


def test_they_merge_with_later_ones(shop: Settings, earlier: Path) -> None:
    merged = merge(shop, FIRST, event_files(shop.lake, Span.of_day(FIRST)))
    assert set(pq.ParquetFile(merged).read()["country"].to_pylist()) == {None, "United Kingdom"}


def test_features_are_built_from_them(shop: Settings, earlier: Path) -> None:
    assert build(shop, SPAN)["rows"]["tiles"] == 2
    segments = pq.ParquetFile(shop.lake.daily("segments", FIRST)).read().select(["segment", "count"]).to_pylist()
    assert [tuple(row.values()) for row in segments] == [("country=United Kingdom", 1), ("source=online-retail", 2)]
