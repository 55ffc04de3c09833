"""What files of events hold, counted: rows, users, kinds, and a digest that no order and no layout changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from functools import reduce
from operator import xor
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow as pa

from features.events.schema import ADDED, EVENT, EVENT_TYPE, INGESTED_AT, USER_ID
from features.events.scratch import DAY_OF_FILE, read_events

Row = Mapping[str, Any]

_DIGITS: Final = 32
#: The digest of no rows.
NO_ROWS: Final = "0" * _DIGITS


def _text(field: pa.Field) -> str:
    """A column as text: the same in every time zone, and null unlike any text."""
    if field.name in ADDED:  # as if it were not there where it is null: digests of earlier versions hold
        return f"'{field.name}=' || {field.name}"
    column = f"epoch_us({field.name})" if pa.types.is_timestamp(field.type) else field.name
    return f"coalesce(CAST({column} AS VARCHAR), chr(30))"


# one number a row; of many rows their exclusive or, which no two cancel out, since ids make rows differ
_NUMBER: Final = f"md5_number(concat_ws(chr(31), {', '.join(_text(field) for field in EVENT)}))"


def events_in(files: Sequence[Path]) -> str:
    """SQL for the events in ``files``, one or more."""
    return f"SELECT {', '.join(EVENT.names)} FROM {read_events(files)}"


def rows_and_digest(connection: duckdb.DuckDBPyConnection, events: str) -> tuple[int, str]:
    """How many events the SQL ``events`` gives, and their digest, 32 hexadecimal digits."""
    [(rows, digest)] = connection.execute(f"SELECT count(*), bit_xor({_NUMBER}) FROM ({events})").fetchall()
    return rows, _hexadecimal(digest)


def count_days(connection: duckdb.DuckDBPyConnection, files: Sequence[Path]) -> dict[date, Row]:
    """Per day with rows: ``rows``, ``users`` (distinct), ``guests``, ``mix`` (event type -> rows), ``digest``, and
    ``known``: by knowledge time (microseconds since 1970 UTC, in order) the rows and their digest.

    Args:
        files: with the events of days, each below a folder ``dt=D``.
    """
    if not files:
        return {}
    events = f"(SELECT *, {DAY_OF_FILE} AS day FROM {read_events(files, 'filename')})"
    found = connection.execute(f"""
        SELECT day, count(*) AS rows, count(DISTINCT {USER_ID}) AS users, count(*) FILTER ({USER_ID} IS NULL) AS guests,
            histogram({EVENT_TYPE}) AS mix
        FROM {events} GROUP BY day
    """)
    names = [column[0] for column in found.description]
    rows = {row[0]: dict(zip(names, row, strict=True)) for row in found.fetchall()}
    known: dict[date, dict[int, tuple[int, int]]] = {day: {} for day in rows}
    for day, moment, count, digest in connection.execute(f"""
        SELECT day, epoch_us({INGESTED_AT}), count(*), bit_xor({_NUMBER}) FROM {events} GROUP BY ALL ORDER BY ALL
    """).fetchall():
        known[day][moment] = (count, digest)
    return {day: {**row, "digest": _together(known[day]), "known": _told(known[day])} for day, row in rows.items()}


def _told(known: Mapping[int, tuple[int, int]]) -> dict[int, tuple[int, str]]:
    return {moment: (count, _hexadecimal(digest)) for moment, (count, digest) in known.items()}


def _together(known: Mapping[int, tuple[int, int]]) -> str:
    return _hexadecimal(reduce(xor, (digest for _count, digest in known.values())))


def _hexadecimal(digest: int | None) -> str:
    return NO_ROWS if digest is None else f"{digest:0{_DIGITS}x}"
