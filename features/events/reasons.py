"""Why a row is refused: reasons that hold for every source, as conditions over its read and typed columns.

In a condition ``read_<column>`` is the text as it came (cleaned), ``<column>`` the typed value.
"""

from __future__ import annotations

from typing import Final

from features.events.schema import (
    CURRENCY,
    DWELL_MS,
    EVENT_ID,
    EVENT_TYPE,
    EVENT_TYPES,
    ITEM_ID,
    OCCURRED_AT,
    PRICE,
    QUANTITY,
    RATING,
    SOURCE_POSITION,
    USER_ID,
    WITHOUT_ITEM,
)

#: Changes whenever a rule changes what is taken or refused.
RULE_VERSION: Final = "1"

TIME_MISSING: Final = "time_missing"
TIME_UNREADABLE: Final = "time_unreadable"
BEFORE_1990: Final = "before_1990"
IN_THE_FUTURE: Final = "in_the_future"
TYPE_MISSING: Final = "type_missing"
TYPE_UNKNOWN: Final = "type_unknown"
ITEM_MISSING: Final = "item_missing"
ID_TOO_LONG: Final = "id_too_long"
QUANTITY_UNREADABLE: Final = "quantity_unreadable"
QUANTITY_NOT_POSITIVE: Final = "quantity_not_positive"
PRICE_UNREADABLE: Final = "price_unreadable"
PRICE_NEGATIVE: Final = "price_negative"
CURRENCY_UNREADABLE: Final = "currency_unreadable"
DWELL_UNREADABLE: Final = "dwell_unreadable"
DWELL_NEGATIVE: Final = "dwell_negative"
RATING_UNREADABLE: Final = "rating_unreadable"
RATING_OUT_OF_RANGE: Final = "rating_out_of_range"
POSITION_UNREADABLE: Final = "position_unreadable"
#: Given when a row is routed, after duplicates are known.
TOO_LATE: Final = "too_late"

ID_LENGTH: Final = 256
RATING_RANGE: Final = (0, 10)
#: More pieces or minor units than this is a slip, and their product must fit 64 bits.
AMOUNT_LIMIT: Final = 1_000_000_000

_TYPES: Final = ", ".join(f"'{name}'" for name in EVENT_TYPES)
_ITEMLESS: Final = ", ".join(f"'{name}'" for name in WITHOUT_ITEM)


def read(column: str) -> str:
    """The name of a column's text, beside the typed value."""
    return f"read_{column}"


def _unreadable(column: str) -> str:
    return f"{read(column)} IS NOT NULL AND {column} IS NULL"


#: ``$horizon`` is the later bound of time: the clock, or the delivery's own moment if that is earlier.
COMMON: Final = (
    (TIME_MISSING, f"{read(OCCURRED_AT)} IS NULL"),
    (TIME_UNREADABLE, _unreadable(OCCURRED_AT)),
    (BEFORE_1990, f"{OCCURRED_AT} < TIMESTAMPTZ '1990-01-01 00:00:00+00'"),
    (IN_THE_FUTURE, f"{OCCURRED_AT} > $horizon"),
    (TYPE_MISSING, f"{read(EVENT_TYPE)} IS NULL"),
    (TYPE_UNKNOWN, f"{EVENT_TYPE} NOT IN ({_TYPES})"),
    (ITEM_MISSING, f"{ITEM_ID} IS NULL AND {EVENT_TYPE} NOT IN ({_ITEMLESS})"),
    (ID_TOO_LONG, f"greatest(length({USER_ID}), length({ITEM_ID}), length({read(EVENT_ID)})) > {ID_LENGTH}"),
    (QUANTITY_UNREADABLE, f"{_unreadable(QUANTITY)} OR {QUANTITY} > {AMOUNT_LIMIT}"),
    (QUANTITY_NOT_POSITIVE, f"{QUANTITY} <= 0"),
    (PRICE_UNREADABLE, f"{_unreadable(PRICE)} OR {PRICE} > {AMOUNT_LIMIT}"),
    (PRICE_NEGATIVE, f"{PRICE} < 0"),
    (CURRENCY_UNREADABLE, f"NOT regexp_full_match({CURRENCY}, '[A-Z][A-Z][A-Z]')"),
    (DWELL_UNREADABLE, _unreadable(DWELL_MS)),
    (DWELL_NEGATIVE, f"{DWELL_MS} < 0"),
    (RATING_UNREADABLE, _unreadable(RATING)),
    (RATING_OUT_OF_RANGE, f"{RATING} < {RATING_RANGE[0]} OR {RATING} > {RATING_RANGE[1]}"),
    (POSITION_UNREADABLE, _unreadable(SOURCE_POSITION)),
)
