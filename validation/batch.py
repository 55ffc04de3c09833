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
from features.events.schema import (
    DELIVERY_ID,
    EVENT,
    EVENT_ID,
    EVENT_TYPE,
    ITEM_ID,
    OCCURRED_AT,
    PRICE,
    QUANTITY,
    SESSION_ID,
    TEXT,
    USER_ID,
)
from features.events.scratch import listing, text
from features.events.staging import staged_day
from infra.lake import Lake
from infra.settings import Settings
from validation.rules import COLUMN, EXPECTED_TYPE, FILE_DAY, KNOWN, TIME_DAY, TYPE, Rule

_BATCH: Final = "batch"
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
def opened(settings: Settings, manifest: Manifest, files: list[Path]) -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB with the view ``batch``: the events and the columns that the rules add."""
    seen = others(settings.lake, manifest.days, manifest.delivery_id, ())
    staged = settings.lake.staging(manifest.delivery_id).exists()
    own = "" if staged else f"WHERE {DELIVERY_ID} = {text(manifest.delivery_id)}"
    config: dict[str, Any] = {"memory_limit": settings.memory_limit, "threads": settings.threads}
    with duckdb.connect(config=config) as connection:
        connection.execute(f"SET TimeZone = {text(settings.timezone)}")
        connection.execute(f"""
            CREATE VIEW {_BATCH} AS SELECT * EXCLUDE (filename),
                regexp_extract(filename, 'dt=(\\d+-\\d+-\\d+)', 1) AS {FILE_DAY},
                CAST(CAST({OCCURRED_AT} AS DATE) AS VARCHAR) AS {TIME_DAY},
                coalesce({EVENT_ID} IN ({seen}), false) AS {KNOWN}
            FROM read_parquet({listing(list(files))}, filename = true, hive_partitioning = false) {own}
        """)
        yield connection


def events(connection: duckdb.DuckDBPyConnection) -> pa.Table:
    """All rows of the batch, without the columns that no rule looks at."""
    return connection.sql(f"SELECT * EXCLUDE ({SESSION_ID}, {TEXT}) FROM {_BATCH}").to_arrow_table()


def failing(connection: duckdb.DuckDBPyConnection, rule: Rule, limit: int = SAMPLES) -> list[dict[str, Any]]:
    """The first rows, by file and id, that break a row-level rule."""
    if not rule.failing:
        return []
    shown = ", ".join(f"CAST({column} AS VARCHAR) AS {column}" for column in _SHOWN)
    only = ", ".join(text(kind) for kind in rule.only)
    where = f"({rule.failing})" + (f" AND {EVENT_TYPE} IN ({only})" if only else "")
    found = connection.execute(
        f"SELECT {shown} FROM (SELECT * FROM {_BATCH} QUALIFY {where}) ORDER BY {FILE_DAY}, {EVENT_ID} LIMIT {limit}"
        if "OVER" in rule.failing
        else f"SELECT {shown} FROM {_BATCH} WHERE {where} ORDER BY {FILE_DAY}, {EVENT_ID} LIMIT {limit}"
    )
    names = [column[0] for column in found.description]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def _published(lake: Lake, day: date, delivery_id: str) -> list[Path]:
    found = listed(lake, day)
    return list(found.merged) if delivery_id in found.inside else [lake.events(day, delivery_id)]


def _type(schema: pa.Schema, name: str) -> str:
    return str(schema.field(name).type) if name in schema.names else "missing"
