"""The staged delivery as the gate sees it: its files' types, its events, and the rows that break a rule."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from features.events.log import listed
from features.events.manifest import Manifest
from features.events.route import others
from features.events.rule import Rule
from features.events.schema import (
    ADDED,
    DELIVERY_ID,
    EVENT,
    EVENT_ID,
    EVENT_TYPE,
    ITEM_ID,
    OCCURRED_AT,
    PRICE,
    QUANTITY,
    RATING,
    USER_ID,
)
from features.events.scratch import DAY_OF_FILE, read_events, text
from features.events.staging import staged_day
from infra.lake import Lake
from infra.settings import Settings
from infra.spill import spilling
from validation.rules import BATCH, COLUMN, EVENT_KEY, EXPECTED_TYPE, FILE_DAY, KNOWN, TIME_DAY, TYPE

_SHOWN: Final = (EVENT_ID, USER_ID, ITEM_ID, EVENT_TYPE, OCCURRED_AT, QUANTITY, PRICE, FILE_DAY)
SAMPLES: Final = 5


def delivery_files(settings: Settings, manifest: Manifest) -> list[Path]:
    """Files with the delivery's events, one a day: staged, or published if it is no longer staged.

    A published file may have been merged with others'; it holds their events too.
    """
    folder = settings.lake.staging(manifest.delivery_id)
    if folder.exists():
        return [staged_day(folder, day) for day in manifest.days]
    return [path for day in manifest.days for path in _published(settings.lake, day, manifest.delivery_id)]


def types(files: list[Path]) -> pa.Table:
    """One row a file and column: the type found and the one expected (text ``missing`` where there is none)."""
    found = {path: pq.read_schema(path) for path in files}
    rows = [
        {FILE_DAY: path.name, COLUMN: name, TYPE: _type(schema, name), EXPECTED_TYPE: _type(EVENT, name)}
        for path, schema in found.items()
        for name in dict.fromkeys((*EVENT.names, *schema.names))
    ]
    return pa.Table.from_pylist(rows)


@contextmanager
def database(settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB in memory, within ``memory_limit`` and ``threads``; it spills under the lake."""
    # DuckDB's spill files have fixed names: each connection needs a folder of its own
    with spilling(settings) as spill:
        config: dict[str, Any] = {
            "memory_limit": settings.memory_limit,
            "threads": settings.threads,
            "temp_directory": str(spill),
        }
        with duckdb.connect(config=config) as connection:
            connection.execute(f"SET TimeZone = {text(settings.timezone)}")
            connection.execute("SET enable_progress_bar = false")
            yield connection


@contextmanager
def opened(settings: Settings, manifest: Manifest, files: list[Path]) -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB with the view ``batch``: the events and the columns that the rules add."""
    seen = others(settings.lake, manifest.days, manifest.delivery_id, ())
    staged = settings.lake.staging(manifest.delivery_id).exists()
    own = "" if staged else f"WHERE {DELIVERY_ID} = {text(manifest.delivery_id)}"
    # DuckDB takes least and greatest values from the files, which leave NaN out: a computed column has none
    rating = f"CASE WHEN isnan({RATING}) THEN 'NaN'::DOUBLE ELSE {RATING} END AS {RATING}"
    with database(settings) as connection:
        connection.execute(f"""
            CREATE VIEW {BATCH} AS SELECT * EXCLUDE (filename) REPLACE ({rating}),
                CAST({DAY_OF_FILE} AS VARCHAR) AS {FILE_DAY},
                CAST(CAST({OCCURRED_AT} AS DATE) AS VARCHAR) AS {TIME_DAY},
                {DAY_OF_FILE} || ' ' || {EVENT_ID} AS {EVENT_KEY},
                {f"coalesce(({EVENT_ID}, {DAY_OF_FILE}) IN ({seen}), false)" if seen else "false"} AS {KNOWN}
            FROM {read_events(files, "filename")} {own}
        """)
        yield connection


def failing(connection: duckdb.DuckDBPyConnection, rule: Rule, limit: int = SAMPLES) -> list[dict[str, Any]]:
    """The first rows, by file and id, that break a row-level rule."""
    if not rule.failing:
        return []
    shown = ", ".join(f"CAST({column} AS VARCHAR) AS {column}" for column in _SHOWN)
    found = connection.execute(
        f"SELECT {shown} FROM {BATCH} WHERE {rule.condition} ORDER BY {FILE_DAY}, {EVENT_ID} LIMIT {limit}"
    )
    names = [column[0] for column in found.description]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def _published(lake: Lake, day: date, delivery_id: str) -> list[Path]:
    found = listed(lake, day)
    return list(found.merged) if delivery_id in found.inside else [lake.events(day, delivery_id)]


def _type(schema: pa.Schema, name: str) -> str:
    if name in ADDED and name not in schema.names:
        return _type(EVENT, name)
    return str(schema.field(name).type) if name in schema.names else "missing"
