"""Whatever a file holds: it is refused as a whole, or every row of it is accounted for. Never anything else."""

from __future__ import annotations

import csv
import io
import json
import tempfile
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as searching
from hypothesis import strategies as st

from features.events.ingest import ingest
from features.events.manifest import Manifest
from features.events.publish import publish
from features.events.schema import EVENT
from infra.errors import DeliveryError
from infra.partitions import Span
from infra.settings import Settings

pytestmark = pytest.mark.thorough

DAY = date(2010, 12, 1)
NOW = datetime(2010, 12, 4, tzinfo=UTC)
COLUMNS = (
    *("event_id", "user_id", "item_id", "event_type", "occurred_at", "session_id", "dwell_ms", "quantity", "price"),
    *("currency", "rating", "text", "source_position", "title", "category_path", "brand"),
)
SEARCH = searching(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)

likely = st.sampled_from(
    [
        *("view", "purchase", "login", "2010-12-01 10:00:00", "2010-11-20", "2010-12-02T00:00:00+14:00", "1291197600"),
        *("1", "0", "-1", "1e5", "9" * 30, "0.1", "NaN", "inf", "-inf", "0x1F", "1_000", "1,000", "GBP", "A > B"),
        *("", " ", "\t", "null", "nan", "None", "[]", '["a"]', "{}", "'", '"', ";", "\\", "%s", "{x}", "$horizon"),
        *(
            "infinity",
            "epoch",
            "294247-01-10 04:00:54.775807+00",
            "0001-01-01",
            "10000-01-01",
            "\u0000",
            "é",
            "\U0001f600",
        ),
    ]
)
cell = st.none() | likely | st.text(max_size=12) | st.integers() | st.floats() | st.booleans() | st.lists(st.integers())
record = st.dictionaries(st.sampled_from(COLUMNS) | st.text(min_size=1, max_size=6), cell, max_size=12)
usual = st.fixed_dictionaries(
    {"item_id": likely, "event_type": st.sampled_from(["view", "purchase", "x"]), "occurred_at": likely},
    optional=dict.fromkeys(COLUMNS[5:], likely),
)


def taken(shop: Settings, path: Path) -> tuple[Manifest | None, DeliveryError | None]:
    """The manifest, or why there is none."""
    try:
        return ingest(shop, "canonical", [path], Span.of_day(DAY), bulk=False, delivered_at=NOW), None
    except DeliveryError as refused:
        return None, refused


def account(make_settings: Callable[..., Settings], name: str, content: bytes) -> Manifest | None:
    """Take a file twice; None where it is refused."""
    with tempfile.TemporaryDirectory() as folder:
        shop = make_settings(Path(folder) / "home", clock=NOW.isoformat(), late_days=5)
        path = Path(folder) / name
        path.write_bytes(content)
        manifest, refused = taken(shop, path)
        if manifest is None:
            assert str(path) in str(refused)
            assert not list((shop.lake.root / "staging").glob("*"))
            return None
        publish(shop, [manifest.delivery_id], gated=False)
        manifest.check_sum()
        written = [pq.ParquetFile(shop.lake.events(day, manifest.delivery_id)).read() for day in manifest.days]
        assert all(table.schema == EVENT for table in written)
        assert sum(map(len, written)) == manifest.accepted + manifest.late + manifest.early
        refused_rows = pq.ParquetFile(shop.lake.quarantine(manifest.delivery_id)).read()
        assert len(refused_rows) == manifest.quarantined
        assert taken(shop, path) == (manifest, None)
        return manifest


@SEARCH
@given(rows=st.lists(usual | record, min_size=1, max_size=8))
@example(rows=[{"item_id": "i", "event_type": "view", "occurred_at": "2010-12-01", "text": "\u0000"}])
def test_json_lines(make_settings: Any, rows: list[dict[str, Any]]) -> None:
    content = "".join(json.dumps(row) + "\n" for row in rows).encode()
    manifest = account(make_settings, "log.jsonl", content)
    assert manifest is None or manifest.rows_in == len(rows)


@SEARCH
@given(rows=st.lists(st.lists(likely | st.text(max_size=12), min_size=len(COLUMNS), max_size=len(COLUMNS)), min_size=1))
def test_csv_of_any_cells(make_settings: Any, rows: list[list[str]]) -> None:
    stream = io.StringIO()
    csv.writer(stream).writerows([COLUMNS, *rows])
    manifest = account(make_settings, "log.csv", stream.getvalue().encode("utf-8", "surrogatepass"))
    assert manifest is None or manifest.rows_in <= len(rows)


@SEARCH
@given(
    content=st.binary(max_size=400),
    name=st.sampled_from(["log.csv", "log.jsonl", "log.parquet", "log.csv.gz", "log.csv.zst"]),
)
def test_any_bytes(make_settings: Any, content: bytes, name: str) -> None:
    account(make_settings, name, b"item_id,event_type,occurred_at\n" * (name == "log.csv") + content)
