"""Which rows of the daily files are to be online: of every entity the last one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path

import duckdb
import pyarrow as pa
from duckdb import DuckDBPyConnection as Connection

from features.engines.trouble import explained
from features.events.scratch import name, read_parquet
from features.view import CREATED_TIMESTAMP, EVENT_TIMESTAMP, View
from features.whole import whole
from infra.lake import dated
from infra.partitions import day_end
from infra.settings import Settings
from infra.spill import spilling

#: Rows that are read, made into bytes and sent at once.
BATCH_ROWS = 2_000


@contextmanager
def reader(settings: Settings) -> Iterator[Connection]:
    """A DuckDB in memory, within ``memory_limit`` and ``threads``.

    Raises:
        MachineError: that is not enough for what is asked inside.
        LakeError: the files cannot be read.
    """
    with explained(settings), spilling(settings) as spill:
        config = {"memory_limit": settings.memory_limit, "threads": settings.threads, "temp_directory": str(spill)}
        connection = duckdb.connect(config=config)
        try:
            connection.execute("SET TimeZone = 'UTC'")
            yield connection
        finally:
            connection.close()


def files_between(settings: Settings, view: View, start: datetime | None, end: datetime | None = None) -> list[Path]:
    """The view's files whose rows are of a moment in ``[start, end)``; None: no bound."""

    def within(day: date) -> bool:
        moment = day_end(day, settings.zone)
        return (start is None or start <= moment) and (end is None or moment < end)

    return [path for day, path in dated(settings.lake.feature_folder(view.name)) if within(day)]


def last_rows(connection: Connection, view: View, files: list[Path], among: str = "") -> Iterator[pa.RecordBatch]:
    """Of every entity in the files the last row, the latest version of it, as batches of ``view.schema``.

    Args:
        among: a table of ``connection`` with the ids of the entities that are wanted; empty: all.

    Raises:
        LakeError: a file is gone, not whole, or lacks columns.
    """
    if not whole(files, view.schema):
        return
    key = name(view.entity)
    wanted = f"WHERE {key} IN (SELECT {key} FROM {name(among)})" if among else ""
    newest = f"max(row({EVENT_TIMESTAMP}, {CREATED_TIMESTAMP}))"
    last = f"SELECT {key}, {newest} AS version FROM {read_parquet(files)} {wanted} GROUP BY {key}"
    columns = ", ".join(name(column) for column in view.schema.names)
    rows = connection.sql(
        f"SELECT {columns} FROM (SELECT *, row({EVENT_TIMESTAMP}, {CREATED_TIMESTAMP}) AS version "
        f"FROM {read_parquet(files)}) SEMI JOIN ({last}) USING ({key}, version)"
    )
    for batch in rows.to_arrow_reader(BATCH_ROWS):
        yield from pa.Table.from_batches([batch]).cast(view.schema).to_batches()


def entities_in(files_by_view: Iterable[tuple[View, list[Path]]]) -> str:
    """SQL: the different ids of the entities with a row in any of the files; the views are of one entity."""
    parts = []
    for view, files in files_by_view:
        key = name(view.entity)
        parts.append(f"SELECT {key} FROM {read_parquet(files)}" if files else f"SELECT '' AS {key} WHERE false")
    return " UNION ".join(parts)
