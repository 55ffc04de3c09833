"""A staged delivery whose rows a test writes itself, and what Great Expectations says of them in two ways."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.events.manifest import Manifest
from features.events.schema import EVENT
from infra.partitions import Span
from infra.settings import Settings
from validation import batch, expectations
from validation.expectations import Suites
from validation.suites import Suite

DELIVERED = datetime(2010, 12, 3, 2, tzinfo=UTC)
SPAN = Span(date(2010, 12, 1), date(2010, 12, 3))
#: The event schema, in which a test may leave out what must be there.
NULLABLE = pa.schema([column.with_nullable(True) for column in EVENT])

Row = dict[str, Any]
Delivered = Callable[[Sequence[Row]], AbstractContextManager[duckdb.DuckDBPyConnection]]


@pytest.fixture
def shop(tmp_path: Path, make_settings: Callable[..., Settings]) -> Settings:
    """A shop whose clock stands still in January 2011."""
    return make_settings(tmp_path / "home", clock="2011-01-10T00:00:00+00:00")


@pytest.fixture
def manifest() -> Manifest:
    """Of a delivery for two days in which one row is said to be."""
    return Manifest(
        delivery_id="d1",
        source="canonical",
        files=(),
        span_start=SPAN.start,
        span_end=SPAN.end,
        bulk=False,
        delivered_at=DELIVERED,
        ingested_at_rule="delivered_at",
        rule_version="1",
        rows_in=60,
        accepted=60,
    )


@pytest.fixture
def row() -> Callable[..., Row]:
    """One good event, and what differs from it."""

    def make(**fields: Any) -> Row:
        good = {
            "event_id": "e1",
            "user_id": "u1",
            "item_id": "i1",
            "event_type": "purchase",
            "occurred_at": datetime(2010, 12, 1, 10, tzinfo=UTC),
            "ingested_at": DELIVERED,
            "ingested_assumed": False,
            "is_bot": False,
            "source_position": 1,
            "quantity": 1,
            "price": 100,
            "currency": "GBP",
            "source": "canonical",
            "delivery_id": "d1",
        }
        return {**good, **fields}

    return make


@pytest.fixture
def delivered(shop: Settings, manifest: Manifest) -> Delivered:
    """Stage rows, the first half as the first day's file, and open them as the gate does."""

    @contextmanager
    def make(rows: Sequence[Row]) -> Iterator[duckdb.DuckDBPyConnection]:
        folder = shop.lake.staging(manifest.delivery_id)
        folder.mkdir(parents=True, exist_ok=True)
        half = len(rows) // 2
        for day, part in zip(SPAN.days(), (rows[:half], rows[half:]), strict=True):
            table = pa.Table.from_pylist(list(part), NULLABLE)
            pq.write_table(table, folder / f"dt={day}.parquet", row_group_size=7)
        with batch.opened(shop, manifest, batch.delivery_files(shop, manifest)) as connection:
            yield connection

    return make


@pytest.fixture
def both(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[list[Row], list[Row]]]:
    """What plain Great Expectations says with pandas, and what it says when DuckDB counts: results by rule.

    ``shown``: how many failing rows are listed.
    """

    def run(suite: Suite, connection: duckdb.DuckDBPyConnection, shown: int = 5) -> tuple[list[Row], list[Row]]:
        monkeypatch.setitem(expectations.FORMAT, "partial_unexpected_count", shown)
        plain, pushed = Suites(), Suites()
        plain.look(suite, "plain", connection.sql("SELECT * FROM batch").to_arrow_table())
        pushed.count(suite, "pushed", connection)
        return _stored(plain), _stored(pushed)

    return run


def _stored(suites: Suites) -> list[Row]:
    """What the data docs are rendered from, without names and numbers that are drawn anew each time."""
    store = suites.context.validation_results_store
    [found] = [store.get(key) for key in store.list_keys()]
    results: list[Row] = found.to_json_dict()["results"]
    for result in results:
        result["expectation_config"]["kwargs"].pop("batch_id")
        result["expectation_config"].pop("id")
    return sorted(results, key=lambda result: str(result["expectation_config"]["meta"]))
