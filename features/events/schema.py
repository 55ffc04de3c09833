"""The one vocabulary of behaviour: the names and types of every event and item column."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

EVENT_ID: Final = "event_id"
USER_ID: Final = "user_id"
ITEM_ID: Final = "item_id"
EVENT_TYPE: Final = "event_type"
OCCURRED_AT: Final = "occurred_at"
INGESTED_AT: Final = "ingested_at"
INGESTED_ASSUMED: Final = "ingested_assumed"
SOURCE_POSITION: Final = "source_position"
SESSION_ID: Final = "session_id"
DWELL_MS: Final = "dwell_ms"
QUANTITY: Final = "quantity"
PRICE: Final = "price"
CURRENCY: Final = "currency"
RATING: Final = "rating"
TEXT: Final = "text"
COUNTRY: Final = "country"
CAMPAIGN: Final = "campaign"
IS_BOT: Final = "is_bot"
SOURCE: Final = "source"
DELIVERY_ID: Final = "delivery_id"

CATEGORY_PATH: Final = "category_path"
CATEGORY: Final = "category"
BRAND: Final = "brand"
TITLE: Final = "title"
VALID_FROM: Final = "valid_from"

#: What a user can do. ``return`` undoes a purchase; ``login`` and ``search`` have no item.
EVENT_TYPES: Final = (
    "impression",
    "view",
    "click",
    "cart",
    "favorite",
    "purchase",
    "return",
    "review",
    "search",
    "login",
)
WITHOUT_ITEM: Final = ("search", "login")

_MOMENT = pa.timestamp("us", tz="UTC")

EVENT: Final = pa.schema(
    [
        pa.field(EVENT_ID, pa.string(), nullable=False),
        pa.field(USER_ID, pa.string()),  # null: a guest; kept for item statistics, never for users
        pa.field(ITEM_ID, pa.string()),
        pa.field(EVENT_TYPE, pa.string(), nullable=False),
        pa.field(OCCURRED_AT, _MOMENT, nullable=False),  # event time
        pa.field(INGESTED_AT, _MOMENT, nullable=False),  # knowledge time
        pa.field(INGESTED_ASSUMED, pa.bool_(), nullable=False),  # true: bulk history, a stated lag
        pa.field(SOURCE_POSITION, pa.int64(), nullable=False),  # breaks ties in time
        pa.field(SESSION_ID, pa.string()),
        pa.field(DWELL_MS, pa.int64()),
        pa.field(QUANTITY, pa.int64()),  # always positive: a return is an event type, not a sign
        pa.field(PRICE, pa.int64()),  # minor units (pence, cents) of one piece
        pa.field(CURRENCY, pa.string()),
        pa.field(RATING, pa.float64()),
        pa.field(TEXT, pa.string()),
        pa.field(COUNTRY, pa.string()),  # of the user then, as the source writes it
        pa.field(CAMPAIGN, pa.string()),  # that brought the user there
        pa.field(IS_BOT, pa.bool_(), nullable=False),  # a rate that no human reaches: left out of item statistics
        pa.field(SOURCE, pa.string(), nullable=False),
        pa.field(DELIVERY_ID, pa.string(), nullable=False),
    ]
)

ITEM: Final = pa.schema(
    [
        pa.field(ITEM_ID, pa.string(), nullable=False),
        pa.field(CATEGORY_PATH, pa.list_(pa.string()), nullable=False),  # root first
        pa.field(BRAND, pa.string()),
        pa.field(TITLE, pa.string()),
        pa.field(PRICE, pa.int64()),
        pa.field(VALID_FROM, _MOMENT, nullable=False),
    ]
)

#: Columns that files of earlier versions lack: null there.
ADDED: Final = (COUNTRY, CAMPAIGN)

#: The order of events everywhere: time, then place in the source, then id.
EVENT_ORDER: Final = (OCCURRED_AT, SOURCE_POSITION, EVENT_ID)
