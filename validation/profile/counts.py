"""Counts over event files by DuckDB, each one scan of the columns that it needs; only results leave it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any, Final

import duckdb

from features.events.schema import EVENT_TYPE, ITEM_ID, OCCURRED_AT, USER_ID
from features.events.scratch import DAY_OF_FILE, read_events, text
from infra.errors import MachineError
from infra.settings import Settings
from validation.profile.findings import Bins, Spread

#: Views of a connection: the rows of the span, of the course of time, of all closed days up to the span's end.
EVENTS: Final = "span_events"
COURSE: Final = "course_events"
KNOWN: Final = "known_events"
HOURS: Final = 24
_DAY: Final = "day"


@contextmanager
def opened(settings: Settings, views: Mapping[str, Sequence[Path]]) -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB within ``memory_limit`` and ``threads``, with views of event files; times are the shop's.

    Each view has the events' columns and ``day``, the partition that a row lies in.

    Raises:
        MachineError: the work inside needs more memory than the settings allow.
    """
    settings.lake.spill.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=settings.lake.spill) as spill:
        limits = {"memory_limit": settings.memory_limit, "threads": settings.threads, "temp_directory": spill}
        with duckdb.connect(config=limits) as connection:
            connection.execute("SET enable_progress_bar = false")
            connection.execute(f"SET TimeZone = {text(settings.timezone)}")
            for name, files in views.items():
                connection.execute(_view(name, files))
            try:
                yield connection
            except duckdb.OutOfMemoryException as error:
                raise MachineError(
                    f"{settings.memory_limit} of memory are not enough: {str(error).splitlines()[0]}",
                    "Raise the setting memory_limit, or lower threads.",
                ) from error


def hours(connection: duckdb.DuckDBPyConnection) -> tuple[int, ...]:
    """Rows of the span by hour of the shop's day, 24 of them."""
    rows = connection.execute(f"SELECT hour({OCCURRED_AT}), count(*) FROM {EVENTS} GROUP BY ALL").fetchall()
    found = dict(rows)
    return tuple(found.get(hour, 0) for hour in range(HOURS))


def mix(connection: duckdb.DuckDBPyConnection) -> dict[date, dict[str, int]]:
    """Rows of the span by day and event type; a day without rows is left out."""
    counted: dict[date, dict[str, int]] = {}
    for day, kind, rows in connection.execute(
        f"SELECT {_DAY}, {EVENT_TYPE}, count(*) FROM {EVENTS} GROUP BY ALL ORDER BY ALL"
    ).fetchall():
        counted.setdefault(day, {})[kind] = rows
    return counted


def distinct(connection: duckdb.DuckDBPyConnection) -> tuple[int, int]:
    """Different users and items of the span; guests are no users."""
    users, items = connection.execute(
        f"SELECT count(DISTINCT {USER_ID}), count(DISTINCT {ITEM_ID}) FROM {EVENTS}"
    ).fetchall()[0]
    return users, items


def volume(connection: duckdb.DuckDBPyConnection) -> dict[date, tuple[int, int]]:
    """Rows, and rows of guests, by day of the course of time."""
    found = connection.execute(
        f"SELECT {_DAY}, count(*), count(*) FILTER ({USER_ID} IS NULL) FROM {COURSE} GROUP BY ALL"
    ).fetchall()
    return {day: (rows, guests) for day, rows, guests in found}


def newcomers(connection: duckdb.DuckDBPyConnection, column: str) -> dict[date, int]:
    """How many values of an id column occur on a day for the first time, of all closed days."""
    found = connection.execute(f"""
        SELECT first, count(*) FROM (SELECT min({_DAY}) AS first FROM {KNOWN} WHERE {column} IS NOT NULL
        GROUP BY {column}) GROUP BY first ORDER BY first
    """).fetchall()
    return dict(found)


def spreads(connection: duckdb.DuckDBPyConnection, rows: str, what: str, value: str, unit: str) -> list[Spread]:
    """The spread of a whole-number column, for each label and unit that occurs; nulls are left out.

    Values are counted before they are put in order: what is held in memory are the different ones.

    Args:
        rows: table or view.
        what, unit: SQL of the label and of the unit.
        value: SQL of the number.
    """
    found = connection.execute(f"""
        WITH counted AS (
            SELECT {what} AS what, {unit} AS unit, {value} AS value, count(*) AS n FROM {rows}
            WHERE {value} IS NOT NULL GROUP BY ALL),
        placed AS (
            SELECT *, sum(n) OVER (PARTITION BY what, unit ORDER BY value) AS upto,
                sum(n) OVER (PARTITION BY what, unit) AS rows FROM counted)
        SELECT what, unit, CAST(rows AS BIGINT), min(value), min(value) FILTER (2 * upto >= rows),
            min(value) FILTER (100 * upto >= 99 * rows), max(value) FROM placed GROUP BY what, unit, rows ORDER BY ALL
    """).fetchall()
    return [Spread(**dict(zip(Spread.model_fields, row, strict=True))) for row in found]


def bins(connection: duckdb.DuckDBPyConnection, rows: str, value: str, edges: Sequence[int]) -> Bins:
    """How many values of a whole-number column lie up to each edge, and beyond the last."""
    found: Any = connection.execute(f"SELECT histogram({value}, {list(edges)}) FROM {rows}").fetchall()[0][0]
    counted: dict[int, int] = found or {}
    beyond = sum(count for edge, count in counted.items() if edge > edges[-1])
    return Bins(edges=tuple(edges), counts=(*(counted.get(edge, 0) for edge in edges), beyond))


def _view(name: str, files: Sequence[Path]) -> str:
    # anchored at the file's own folder: a home may lie below a folder called dt=… as well
    source = read_events(files, "filename")
    return f"CREATE VIEW {name} AS SELECT * EXCLUDE (filename), {DAY_OF_FILE} AS {_DAY} FROM {source}"
