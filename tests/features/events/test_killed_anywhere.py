"""Kill it anywhere and run it again: no half partition in between, equal bytes in the end."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from features.events.ingest import ingest
from features.events.log import event_files
from features.events.publish import publish
from infra.partitions import Span
from infra.settings import Settings

pytestmark = pytest.mark.thorough

HISTORY = Span(date(2010, 11, 29), date(2010, 12, 1))
DAY = Span.of_day(date(2010, 12, 1))


def run(shop: Settings, file: Path, span: Span, *, bulk: bool) -> None:
    manifest = ingest(shop, "online-retail", [file], span, bulk=bulk, delivered_at=datetime(2010, 12, 5, tzinfo=UTC))
    publish(shop, [manifest.delivery_id], gated=False)


def whole(shop: Settings) -> None:
    """Every closed partition counts exactly the rows that its readers get."""
    for day in shop.lake.closed_days():
        files = event_files(shop.lake, Span.of_day(day))
        rows = sum(pq.ParquetFile(path).read().num_rows for path in files)
        assert json.loads(shop.lake.partition(day).read_text())["rows"] == rows


@pytest.fixture
def files(write: Any, line: Any) -> tuple[Path, Path]:
    days = ["2010-11-29 09:00:00", "2010-11-30 09:00:00", "bad"]
    history = write("history.csv", [line(Invoice=str(n), InvoiceDate=day) for n, day in enumerate(days)])
    moments = ["2010-11-30 10:00:00", "2010-12-01 10:00:00", "2010-12-02 00:10:00", "2010-12-01 11:00:00"]
    day = write("day.csv", [line(Invoice=f"9{n}", InvoiceDate=moment) for n, moment in enumerate(moments)])
    return history, day


@pytest.mark.parametrize("bulk", [True, False])
def test_every_step(shop: Settings, files: tuple[Path, Path], kill_everywhere: Any, bulk: bool) -> None:
    history, day = files
    if not bulk:
        run(shop, history, HISTORY, bulk=True)
    work = (history, HISTORY) if bulk else (day, DAY)
    assert kill_everywhere(lambda: run(shop, *work, bulk=bulk), lambda: whole(shop)) > 10
