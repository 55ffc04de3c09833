"""What files of events hold, counted: rows, users, kinds, and a digest that no order and no layout changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow as pa

from features.events.schema import EVENT, EVENT_TYPE, INGESTED_AT, SOURCE, USER_ID
from features.events.scratch import listing
from infra.settings import Settings

Row = Mapping[str, Any]

_DIGITS: Final = 32
#: The digest of no rows.
NO_ROWS: Final = "0" * _DIGITS


def _text(field: pa.Field) -> str:
    """A column as text: the same in every time zone, and null unlike any text."""
    column = f"epoch_us({field.name})" if pa.types.is_timestamp(field.type) else field.name
    return f"coalesce(CAST({column} AS VARCHAR), chr(30))"


# one number a row; of many rows their exclusive or, which no two cancel out, since ids make rows differ
_NUMBER: Final = f"md5_number(concat_ws(chr(31), {', '.join(_text(field) for field in EVENT)}))"


def events_in(files: Sequence[Path]) -> str:
    """SQL for the events in ``files``, one or more."""
    return f"SELECT {', '.join(EVENT.names)} FROM read_parquet({listing(list(files))}, hive_partitioning = false)"


def rows_and_digest(connection: duckdb.DuckDBPyConnection, events: str) -> tuple[int, str]:
    """How many events the SQL ``events`` gives, and their digest, 32 hexadecimal digits."""
    [(rows, digest)] = connection.execute(f"SELECT count(*), bit_xor({_NUMBER}) FROM ({events})").fetchall()
    return rows, _hexadecimal(digest)


def count_days(settings: Settings, files: Mapping[date, Sequence[Path]]) -> dict[date, list[Row]]:
    """Per day with rows: one row a source and event type, and one for all of it, without a source.

    Each has ``rows``, ``users`` (distinct), ``guests``, ``known`` (the latest knowledge time, microseconds
    since 1970 UTC) and ``digest``.

    Args:
        files: those with the events of each day, in its folder.
    """
    paths = [path for of_day in files.values() for path in of_day]
    if not paths:
        return {}
    with duckdb.connect(config={"threads": settings.threads, "memory_limit": settings.memory_limit}) as connection:
        found = connection.execute(f"""
            SELECT day, {SOURCE}, {EVENT_TYPE}, count(*) AS rows, count(DISTINCT {USER_ID}) AS users,
                count(*) FILTER ({USER_ID} IS NULL) AS guests, epoch_us(max({INGESTED_AT})) AS known,
                bit_xor(number) AS digest
            FROM (SELECT *, {_NUMBER} AS number, regexp_extract(filename, 'dt=(\\d+-\\d+-\\d+)', 1) AS day
                  FROM read_parquet({listing(paths)}, filename = true, hive_partitioning = false))
            GROUP BY GROUPING SETS ((day, {SOURCE}, {EVENT_TYPE}), (day)) ORDER BY ALL
        """)
        names = [column[0] for column in found.description]
        rows = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
    by_day: dict[date, list[Row]] = {}
    for row in rows:
        by_day.setdefault(date.fromisoformat(row["day"]), []).append({**row, "digest": _hexadecimal(row["digest"])})
    return by_day


def _hexadecimal(digest: int | None) -> str:
    return NO_ROWS if digest is None else f"{digest:0{_DIGITS}x}"
