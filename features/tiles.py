"""Tiles: what a user did with an item on a day, by behaviour. Windows are sums over tiles."""

from __future__ import annotations

from typing import Final

import pyarrow as pa
from ibis import _

from features.behaviour import OCCURRED_US, SPEND
from features.daily import Daily
from features.engine import DAY, Table
from features.events.schema import CATEGORY, DWELL_MS, EVENT_TYPE, IS_BOT, ITEM_ID, QUANTITY, SESSION_ID, USER_ID
from infra.settings import Settings

COUNT: Final = "count"
FIRST_US: Final = "first_us"
LAST_US: Final = "last_us"

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
    ]
)


def of_guests(events: Table) -> Table:
    """``behaviour`` with the session's id for guests alone, so that it says with the user whose an event is."""
    return events.mutate(**{SESSION_ID: _[USER_ID].isnull().ifelse(_[SESSION_ID], None)})


def tiles(events: Table, _settings: Settings) -> Table:
    """Aggregate ``behaviour`` to one row per user (guest: session), item, type and day."""
    return (
        of_guests(events)
        .group_by(*KEYS, DAY)
        .agg(
            **{
                COUNT: _.count(),
                QUANTITY: _[QUANTITY].sum(),
                SPEND: _[SPEND].sum(),
                DWELL_MS: _[DWELL_MS].sum(),
                FIRST_US: _[OCCURRED_US].min(),
                LAST_US: _[OCCURRED_US].max(),
            }
        )
    )


TILES: Final = Daily("tiles", SCHEMA, KEYS, tiles)
