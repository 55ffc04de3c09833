"""What a day of a source is like: the figures that the gate compares a later day with.

``rows``, of them ``guests`` without a user, ``mix`` (event type -> rows), ``items`` different items,
``new_items`` of them that no closed day of the last ``gate_history_days`` had, ``price`` the median paid
for a piece (minor units; null on a day without priced purchases), ``idle_minutes`` from the last event to
the end of the day (null where no time is known).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import duckdb

from features.events.log import event_files
from features.events.schema import EVENT_TYPE, ITEM_ID, OCCURRED_AT, PRICE, SOURCE, USER_ID
from features.events.scratch import DAY_OF_FILE, read_parquet
from infra.partitions import Span, day_end
from infra.settings import Settings

Profile = dict[str, Any]

_COUNTED: Final = ("rows", "guests", "mix", "items", "new_items", "price")


def profiles(
    connection: duckdb.DuckDBPyConnection, settings: Settings, files: Sequence[Path], days: Sequence[date]
) -> dict[tuple[date, str], Profile]:
    """The figures of every day and source in ``files``.

    Args:
        files: named after their days (``dt=D``), published or staged.
        days: the days of the files; items that an earlier one of them has are not new either.
    """
    if not files:
        return {}
    memory = timedelta(days=settings.gate_history_days)
    earlier = _closed(settings, Span(min(days) - memory, max(days)))
    found = connection.execute(f"""
        WITH here AS (SELECT *, {DAY_OF_FILE} AS day FROM {_read(files)}),
        sold AS (SELECT DISTINCT {ITEM_ID}, {DAY_OF_FILE} AS day FROM {_read([*files, *earlier])}),
        seen AS (SELECT *, lag(day) OVER (PARTITION BY {ITEM_ID} ORDER BY day) AS last FROM sold)
        SELECT day, {SOURCE}, count(*) AS rows, count(*) FILTER ({USER_ID} IS NULL) AS guests,
            histogram({EVENT_TYPE}) AS mix, count(DISTINCT {ITEM_ID}) AS items,
            count(DISTINCT {ITEM_ID}) FILTER (last IS NULL OR last < day - {memory.days}) AS new_items,
            quantile_disc({PRICE}, 0.5) FILTER ({EVENT_TYPE} = 'purchase') AS price,
            epoch_us(max({OCCURRED_AT})) AS last_at
        FROM here LEFT JOIN seen USING ({ITEM_ID}, day) GROUP BY day, {SOURCE}
    """)
    names = [column[0] for column in found.description]
    rows = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
    return {(row["day"], row[SOURCE]): _profile(settings, row) for row in rows}


def _closed(settings: Settings, span: Span) -> list[Path]:
    closed = [day for day in span.days() if settings.lake.partition(day).exists()]
    return [path for day in closed for path in event_files(settings.lake, Span.of_day(day))]


def _read(files: Sequence[Path]) -> str:
    return read_parquet(dict.fromkeys(files), "filename")


def _profile(settings: Settings, row: Profile) -> Profile:
    return {**{name: row[name] for name in _COUNTED}, "idle_minutes": _idle(settings, row["day"], row["last_at"])}


def _idle(settings: Settings, day: date, last_at: int | None) -> float | None:
    if last_at is None:
        return None
    last = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=last_at)
    return round((day_end(day, settings.zone) - last).total_seconds() / 60, 1)
