"""Bots: who does more in a minute or in an hour than a human can, by day."""

from __future__ import annotations

from typing import Final

import duckdb

from features.events.cleaning.policy import Bots
from features.events.reading.parsed import DAY, PARSED, REASONS
from features.events.schema import EVENT_TYPE, OCCURRED_AT, SESSION_ID, USER_ID
from features.events.scratch import text

_VALID: Final = f"{REASONS} IS NULL"
_IDENTITY: Final = f"coalesce('u' || {USER_ID}, 's' || {SESSION_ID})"
#: SQL condition of parsed rows, once the bots are found.
BY_BOT: Final = f"({_IDENTITY}, {DAY}) IN (SELECT (identity, {DAY}) FROM bots)"


def find_bots(connection: duckdb.DuckDBPyConnection, bots: Bots) -> None:
    """The table ``bots``: who, and on which day."""
    of = ", ".join(map(text, bots.of)) or "NULL"
    hourly = f"sum(n) OVER (PARTITION BY identity, minute // 60) > {bots.per_hour}"
    # whose events all have one moment has a log that knows the day alone, and no rate
    moving = f"min(first) OVER (PARTITION BY identity, {DAY}) < max(last) OVER (PARTITION BY identity, {DAY})"
    connection.execute(f"""
        CREATE TEMP TABLE bots AS SELECT DISTINCT identity, {DAY} FROM (
            SELECT {_IDENTITY} AS identity, {DAY}, epoch_us({OCCURRED_AT}) // 60000000 AS minute, count(*) AS n,
                min({OCCURRED_AT}) AS first, max({OCCURRED_AT}) AS last
            FROM {PARSED} WHERE {_VALID} AND {EVENT_TYPE} IN ({of}) AND {_IDENTITY} IS NOT NULL GROUP BY ALL)
        QUALIFY (n > {bots.per_minute} OR {hourly}) AND {moving}
    """)
