"""Every parsed row gets one fate: accepted, duplicate, late, early or quarantined."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, Final

import duckdb
import pyarrow as pa

from features.events.cleaning.clean import CLEANED
from features.events.log import present
from features.events.reading.parsed import CONTENT, DAY, FILE, POSITION, REASONS
from features.events.reasons import TOO_LATE
from features.events.schema import DELIVERY_ID, EVENT_ID
from features.events.scratch import DAY_OF_FILE, read_parquet, text
from infra.lake import Lake
from infra.partitions import Span

ROUTED: Final = "routed"
FATE: Final = "fate"
REASON: Final = "reason"  # the first of the reasons
ALIAS: Final = "alias"  # the id that a replayed row would have today, where that is another
ACCEPTED: Final = "accepted"
DUPLICATE: Final = "duplicate"
LATE: Final = "late"
EARLY: Final = "early"
QUARANTINED: Final = "quarantined"


def route(
    connection: duckdb.DuckDBPyConnection,
    known: str,
    span: Span,
    *,
    late_days: int,
    repeats_are_events: bool,
    old_ids: pa.Table | None = None,
) -> None:
    """Fill the table ``routed``: position, event_id, alias, fate and reason of every parsed row.

    Args:
        known: SQL for the ids and days of the events that other deliveries brought (``others``).
        span: the days that this delivery is for; rows before are late, rows after are early.
        late_days: a row that is more days before the span than this is refused.
        repeats_are_events: number the equal rows of a file instead of dropping all but the first.
        old_ids: of rows that come out of the quarantine: position, and the id that they had in it.
    """
    today = f"coalesce({EVENT_ID}, {CONTENT})"
    if old_ids is not None:
        # of equal rows that come back one by one each keeps the number that it had among them
        today = f"coalesce({EVENT_ID}, {CONTENT} || regexp_extract(old_id, '^[0-9a-f]+(-\\d+)$', 1), {CONTENT})"
    elif repeats_are_events:
        # what lies in two files is numbered alike in both, hence is there once: a day and its hours, a copy
        again = f"row_number() OVER (PARTITION BY {CONTENT}, {FILE} ORDER BY {POSITION})"
        today = f"coalesce({EVENT_ID}, CASE WHEN {again} = 1 THEN {CONTENT} ELSE {CONTENT} || '-' || {again} END)"
    connection.execute(f"CREATE TEMP TABLE old_ids ({POSITION} BIGINT, old_id VARCHAR)")
    if old_ids is not None:  # not always: looking at an Arrow table imports pandas
        connection.register("given_ids", old_ids)
        connection.execute(f"INSERT INTO old_ids SELECT {POSITION}, {EVENT_ID} FROM given_ids")
    connection.execute(f"""
        CREATE TEMP TABLE identified AS
        WITH named AS (
            SELECT {POSITION}, {DAY}, {REASONS}, old_id, {today} AS today
            FROM {CLEANED} LEFT JOIN old_ids USING ({POSITION}))
        SELECT {POSITION}, {DAY}, {REASONS}, coalesce(old_id, today) AS {EVENT_ID},
            CASE WHEN old_id <> today THEN today END AS {ALIAS}
        FROM named
    """)
    # an id is a day's own, so that it does not matter how a delivery is cut into days;
    # ids that come twice are few: to find them is cheaper than to number all
    connection.execute(f"""
        CREATE TEMP TABLE {ROUTED} AS
        WITH seen AS ({known or f"SELECT CAST(NULL AS VARCHAR) AS {EVENT_ID}, CAST(NULL AS DATE) AS {DAY}"}),
        twice AS (
            SELECT {EVENT_ID}, {DAY}, min({POSITION}) AS first FROM identified
            WHERE {REASONS} IS NULL AND {DAY} >= DATE {text(span.start - timedelta(days=late_days))}
            GROUP BY {EVENT_ID}, {DAY} HAVING count(*) > 1),
        counted AS (
            SELECT identified.*, coalesce({POSITION} > first, false)
                OR ({EVENT_ID}, {DAY}) IN (SELECT {EVENT_ID}, {DAY} FROM seen WHERE {EVENT_ID} IS NOT NULL)
                OR {ALIAS} IS NOT NULL
                    AND ({ALIAS}, {DAY}) IN (SELECT {EVENT_ID}, {DAY} FROM seen WHERE {EVENT_ID} IS NOT NULL) AS again
            FROM identified LEFT JOIN twice USING ({EVENT_ID}, {DAY}) WHERE {REASONS} IS NULL),
        fated AS (
            SELECT {POSITION}, {DAY}, {EVENT_ID}, {ALIAS}, {_fate(span, late_days)} AS {FATE} FROM counted)
        SELECT *, CASE WHEN {FATE} = '{QUARANTINED}' THEN '{TOO_LATE}' END AS {REASON} FROM fated
        UNION ALL
        SELECT {POSITION}, {DAY}, {EVENT_ID}, {ALIAS}, '{QUARANTINED}', {REASONS}[1] FROM identified
        WHERE {REASONS} IS NOT NULL
    """)


def days_of(connection: duckdb.DuckDBPyConnection) -> list[date]:
    """The days that the parsed rows belong to, in order."""
    rows = connection.execute(f"SELECT DISTINCT {DAY} FROM {CLEANED} WHERE {REASONS} IS NULL ORDER BY 1").fetchall()
    return [row[0] for row in rows]


def others(lake: Lake, days: list[date], delivery_id: str, beside: tuple[str, ...]) -> str:
    """SQL for id and day of the events that other deliveries brought for ``days``; empty if there are none.

    They were published, or staged together with this one (``beside``). What this delivery itself brought
    before may lie in one file with the others' rows; it is left out. Ids under which rows that were
    replayed out of the quarantine would come today are among them.
    """
    files = [path for day in days for path in present(lake, day).files if path.stem != delivery_id]
    staged = (lake.staging(other) / f"dt={day}.parquet" for day in days for other in beside)
    files += [path for path in staged if path.exists()]
    aliases = [path for path in lake.all_aliases() if path.stem != delivery_id]
    parts = []
    if files:
        parts.append(
            f"SELECT {EVENT_ID}, {DAY_OF_FILE} AS {DAY} FROM {read_parquet(files, 'filename')} "
            f"WHERE {DELIVERY_ID} <> {text(delivery_id)}"
        )
    if aliases:
        parts.append(f"SELECT {EVENT_ID}, {DAY} FROM {read_parquet(aliases)}")
    return " UNION ALL ".join(parts)


def counts(connection: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    """The manifest's figures."""
    rows = connection.execute(
        f"SELECT {FATE}, {DAY}, {REASON}, count(*) FROM {ROUTED} GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    totals = {fate: sum(n for row_fate, _, _, n in rows if row_fate == fate) for fate in _FATES}
    by_day = {
        f"{fate}_by_day": {day: n for row_fate, day, _, n in rows if row_fate == fate}
        for fate in (ACCEPTED, LATE, EARLY)
    }
    reasons: dict[str, int] = {}
    for _, _, reason, n in rows:
        if reason is not None:
            reasons[reason] = reasons.get(reason, 0) + n
    return {**totals, **by_day, "quarantined_by_reason": dict(sorted(reasons.items()))}


_FATES: Final = (ACCEPTED, DUPLICATE, LATE, EARLY, QUARANTINED)


def _fate(span: Span, late_days: int) -> str:
    limit = span.start - timedelta(days=late_days)
    return f"""CASE WHEN again THEN '{DUPLICATE}'
        WHEN {DAY} >= DATE {text(span.end)} THEN '{EARLY}'
        WHEN {DAY} < DATE {text(limit)} THEN '{QUARANTINED}'
        WHEN {DAY} < DATE {text(span.start)} THEN '{LATE}'
        ELSE '{ACCEPTED}' END"""
