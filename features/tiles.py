"""Tiles: what a user did with an item on a day, by behaviour. Windows are sums over tiles."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Final

import ibis
import pyarrow as pa
from ibis import _

from features.behaviour import OCCURRED_US, ORDER, SPEND
from features.decay import MINUTE_US
from features.engine import DAY, Connection, Table
from features.events.schema import CATEGORY, DWELL_MS, EVENT_TYPE, IS_BOT, ITEM_ID, QUANTITY, SESSION_ID, USER_ID
from features.files import read_files, write_days
from infra.lake import Lake
from infra.partitions import Span
from infra.settings import Settings

COUNT: Final = "count"
FIRST_US: Final = "first_us"
LAST_US: Final = "last_us"
#: Sessions of the user (or of the guest's session) that begin with one of the tile's events.
SESSIONS: Final = "sessions"

#: A guest has no ``user_id``; its tiles are kept apart by session.
KEYS: Final = (USER_ID, SESSION_ID, ITEM_ID, CATEGORY, EVENT_TYPE, IS_BOT)

SCHEMA: Final = pa.schema(
    [
        *(pa.field(key, pa.bool_() if key == IS_BOT else pa.string()) for key in KEYS),
        pa.field(DAY, pa.date32()),
        pa.field(COUNT, pa.int64()),
        pa.field(QUANTITY, pa.int64()),
        pa.field(SPEND, pa.int64()),
        pa.field(DWELL_MS, pa.int64()),
        pa.field(FIRST_US, pa.int64()),
        pa.field(LAST_US, pa.int64()),
        pa.field(SESSIONS, pa.int64()),
    ]
)


def tiles(events: Table, session_minutes: int) -> Table:
    """Aggregate ``behaviour`` to one row per user (guest: session), item, type and day.

    A session begins with an event whose user did nothing in the ``session_minutes`` before it on that day, so
    that a day's tiles follow from its own events.
    """
    of_guest = _[USER_ID].isnull().ifelse(_[SESSION_ID], None)
    of_day = ibis.window(group_by=(USER_ID, SESSION_ID, DAY), order_by=ORDER)
    pause = _[OCCURRED_US] - _[OCCURRED_US].lag().over(of_day)
    begins = (pause >= session_minutes * MINUTE_US).fill_null(True)
    return (
        events.mutate(**{SESSION_ID: of_guest})
        .mutate(**{SESSIONS: begins.cast("int64")})
        .group_by(*KEYS, DAY)
        .agg(
            **{
                COUNT: _.count(),
                QUANTITY: _[QUANTITY].sum(),
                SPEND: _[SPEND].sum(),
                DWELL_MS: _[DWELL_MS].sum(),
                FIRST_US: _[OCCURRED_US].min(),
                LAST_US: _[OCCURRED_US].max(),
                SESSIONS: _[SESSIONS].sum(),
            }
        )
    )


def write_tiles(connection: Connection, settings: Settings, events: Table, span: Span) -> int:
    """Write the tiles of every day of ``span``, and count them."""
    rows = tiles(events, settings.session_minutes)
    return write_days(connection, rows, SCHEMA, span.days(), settings.lake.tiles, KEYS)


def read_tiles(connection: Connection, lake: Lake, days: Iterable[date]) -> Table:
    """The tiles of ``days``; days before the first partition have none."""
    return read_files(connection, (path for path in map(lake.tiles, days) if path.exists()), SCHEMA)
