"""Sessions: what the source calls one; of a user's other rows, what lies between two silences."""

from __future__ import annotations

from typing import Final

import duckdb

from features.events.schema import OCCURRED_AT, SESSION_ID, SOURCE, USER_ID
from features.events.scratch import text
from validation.profile.counts import EVENTS, bins, spreads
from validation.profile.findings import Sessions

SILENCE_MINUTES: Final = 30
EVENTS_OF: Final = "events of a session"
LENGTH_OF: Final = "length of a session"
EVENT_EDGES: Final = (1, 2, 5, 10, 20, 50, 100)
MINUTE_US: Final = 60_000_000
#: In microseconds: a single moment, a minute, and so on to four hours.
LENGTH_EDGES: Final = (0, *(minutes * MINUTE_US for minutes in (1, 5, 15, 30, 60, 120, 240)))
_SESSIONS: Final = "sessions"


def sessions(connection: duckdb.DuckDBPyConnection) -> Sessions:
    """Sessions among the rows of the span; one that goes on before or after it is seen in part."""
    connection.execute(f"CREATE TEMP TABLE {_SESSIONS} AS {_named()} UNION ALL {_cut()}")
    found = connection.execute(f"""
        SELECT count(*) FILTER (named), count(*) FILTER (NOT named),
            (SELECT count(*) FROM {EVENTS} WHERE {SESSION_ID} IS NULL AND {USER_ID} IS NULL) FROM {_SESSIONS}
    """).fetchall()[0]
    return Sessions(
        named=found[0],
        cut=found[1],
        left_out=found[2],
        spreads=(
            *spreads(connection, _SESSIONS, text(EVENTS_OF), "events", "'events'"),
            *spreads(connection, _SESSIONS, text(LENGTH_OF), "length", "'microseconds'"),
        ),
        by_events=bins(connection, _SESSIONS, "events", EVENT_EDGES),
        by_length=bins(connection, _SESSIONS, "length", LENGTH_EDGES),
    )


def _named() -> str:
    return f"""
        SELECT true AS named, count(*) AS events, {_length()} AS length FROM {EVENTS}
        WHERE {SESSION_ID} IS NOT NULL GROUP BY {SOURCE}, {SESSION_ID}
    """


def _cut() -> str:
    """Rows at one moment are peers of the running sum, so that their order does not matter."""
    before = f"lag({OCCURRED_AT}) OVER (PARTITION BY {USER_ID} ORDER BY {OCCURRED_AT})"
    return f"""
        SELECT false, count(*), {_length()} FROM (
            SELECT {USER_ID}, {OCCURRED_AT},
                sum(CAST(begins AS INTEGER)) OVER (PARTITION BY {USER_ID} ORDER BY {OCCURRED_AT}) AS number
            FROM (SELECT {USER_ID}, {OCCURRED_AT},
                      coalesce({OCCURRED_AT} - {before} > INTERVAL {SILENCE_MINUTES} MINUTE, true) AS begins
                  FROM {EVENTS} WHERE {SESSION_ID} IS NULL AND {USER_ID} IS NOT NULL))
        GROUP BY {USER_ID}, number
    """


def _length() -> str:
    return f"epoch_us(max({OCCURRED_AT})) - epoch_us(min({OCCURRED_AT}))"
