"""Tiles: what a user did with an item on a day, by behaviour. Windows are sums over tiles."""

from __future__ import annotations

from typing import Final

import ibis
import pyarrow as pa
from ibis import _

from features.behaviour import OCCURRED_US, ORDER, SPEND
from features.daily import Daily
from features.decay import MINUTE_US
from features.engine import DAY, Table
from features.events.schema import CATEGORY, DWELL_MS, EVENT_TYPE, IS_BOT, ITEM_ID, QUANTITY, SESSION_ID, USER_ID
from infra.settings import Settings

COUNT: Final = "count"
FIRST_US: Final = "first_us"
LAST_US: Final = "last_us"
#: Whose events of a day are looked at together: those of a user, or of a guest's session.
OF_DAY: Final = (USER_ID, SESSION_ID, DAY)
SESSION_STARTS: Final = "session_starts"
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


def with_session_starts(events: Table, session_minutes: int) -> Table:
    """``behaviour`` with the column ``SESSION_STARTS``: 1 if the user did nothing in the ``session_minutes`` before on
    that day, so that a day's sessions follow from its own events. The session's id is kept for guests alone.
    """
    of_guest = _[USER_ID].isnull().ifelse(_[SESSION_ID], None)
    pause = _[OCCURRED_US] - _[OCCURRED_US].lag().over(ibis.window(group_by=OF_DAY, order_by=ORDER))
    begins = (pause >= session_minutes * MINUTE_US).fill_null(True)
    return events.mutate(**{SESSION_ID: of_guest}).mutate(**{SESSION_STARTS: begins.cast("int64")})


def tiles(events: Table, settings: Settings) -> Table:
    """Aggregate ``behaviour`` to one row per user (guest: session), item, type and day."""
    return (
        with_session_starts(events, settings.session_minutes)
        .group_by(*KEYS, DAY)
        .agg(
            **{
                COUNT: _.count(),
                QUANTITY: _[QUANTITY].sum(),
                SPEND: _[SPEND].sum(),
                DWELL_MS: _[DWELL_MS].sum(),
                FIRST_US: _[OCCURRED_US].min(),
                LAST_US: _[OCCURRED_US].max(),
                SESSIONS: _[SESSION_STARTS].sum(),
            }
        )
    )


TILES: Final = Daily("tiles", SCHEMA, KEYS, tiles)
