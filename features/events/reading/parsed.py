"""The table of parsed rows: one row for every row that came in, good or bad."""

from __future__ import annotations

from typing import Final

from features.events.schema import (
    BRAND,
    CAMPAIGN,
    CATEGORY_PATH,
    COUNTRY,
    CURRENCY,
    DWELL_MS,
    EVENT_TYPE,
    ITEM_ID,
    OCCURRED_AT,
    PRICE,
    QUANTITY,
    RATING,
    SESSION_ID,
    SOURCE_POSITION,
    TEXT,
    TITLE,
    USER_ID,
)

#: Columns of the table of parsed rows that are no event columns.
PARSED: Final = "parsed"
POSITION: Final = "position"  # place in the delivery, from 1
FILE: Final = "file"
ROW: Final = "row"  # place in the file, from 1, the header not counted
DAY: Final = "day"  # the shop's day, null where the time is of no use
CONTENT: Final = "content"  # digest of what the row says
REASONS: Final = "reasons"
ORIGINAL: Final = "original"  # JSON of the row as read, kept for rows that may be refused


#: Event columns that are read from the source; the others are the ingest's own.
READ: Final = (
    USER_ID,
    ITEM_ID,
    EVENT_TYPE,
    OCCURRED_AT,
    SESSION_ID,
    DWELL_MS,
    QUANTITY,
    PRICE,
    CURRENCY,
    RATING,
    TEXT,
    COUNTRY,
    CAMPAIGN,
    SOURCE_POSITION,
)
ITEM_TEXTS: Final = (TITLE, CATEGORY_PATH, BRAND)
