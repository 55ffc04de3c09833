"""Why a row is refused: reasons that hold for every source, as conditions over its read and typed columns.

In a condition ``read_<column>`` is the text as it came (cleaned), ``<column>`` the typed value. What a
typed value must be is said in ``rules``; here is what only the text can tell.
"""

from __future__ import annotations

from typing import Final

from features.events.rules import (
    BEFORE_1990,
    CURRENCY_UNREADABLE,
    DWELL_NEGATIVE,
    DWELL_UNREADABLE,
    ID_TOO_LONG,
    ID_UNREADABLE,
    IN_THE_FUTURE,
    ITEM_MISSING,
    PRICE_NEGATIVE,
    PRICE_UNREADABLE,
    QUANTITY_NOT_POSITIVE,
    QUANTITY_UNREADABLE,
    RATING_OUT_OF_RANGE,
    TYPE_MISSING,
    TYPE_UNKNOWN,
    refused_for,
)
from features.events.schema import DWELL_MS, EVENT_ID, OCCURRED_AT, PRICE, QUANTITY, RATING, SOURCE_POSITION

#: Changes whenever a rule changes what is taken or refused.
RULE_VERSION: Final = "5"

TIME_MISSING: Final = "time_missing"
TIME_UNREADABLE: Final = "time_unreadable"
#: An hour that was left out when the shop's clocks went forward.
TIME_SKIPPED: Final = "time_skipped"
RATING_UNREADABLE: Final = "rating_unreadable"
POSITION_UNREADABLE: Final = "position_unreadable"
#: Given when a row is routed, after duplicates are known.
TOO_LATE: Final = "too_late"


def read(column: str) -> str:
    """The name of a column's text, beside the typed value."""
    return f"read_{column}"


def _unreadable(column: str) -> str:
    return f"{read(column)} IS NOT NULL AND {column} IS NULL"


# a time that says its offset is one of every zone; of a local one that there was not, DuckDB makes another.
# Midnight is how a day without a time is written: where the clocks left it out, the day begins an hour later
_OFFSET: Final = r":\d\d.*([zZ]|[+-]\d\d| [A-Za-z][A-Za-z])"
_SKIPPED: Final = (
    f"CAST({OCCURRED_AT} AS TIMESTAMP) <> TRY_CAST({read(OCCURRED_AT)} AS TIMESTAMP) "
    f"AND date_trunc('day', TRY_CAST({read(OCCURRED_AT)} AS TIMESTAMP)) <> TRY_CAST({read(OCCURRED_AT)} AS TIMESTAMP) "
    f"AND NOT regexp_matches({read(OCCURRED_AT)}, '{_OFFSET}')"
)

#: ``$horizon`` is the later bound of time: the clock, or the delivery's own moment if that is earlier.
COMMON: Final = (
    (TIME_MISSING, f"{read(OCCURRED_AT)} IS NULL"),
    (TIME_UNREADABLE, _unreadable(OCCURRED_AT)),
    (TIME_SKIPPED, _SKIPPED),
    (BEFORE_1990, refused_for(BEFORE_1990)),
    (IN_THE_FUTURE, refused_for(IN_THE_FUTURE)),
    (TYPE_MISSING, refused_for(TYPE_MISSING)),
    (TYPE_UNKNOWN, refused_for(TYPE_UNKNOWN)),
    (ITEM_MISSING, refused_for(ITEM_MISSING)),
    # before a row is routed, its id is the text that the source gave
    *((reason, refused_for(reason).replace(EVENT_ID, read(EVENT_ID))) for reason in (ID_TOO_LONG, ID_UNREADABLE)),
    (QUANTITY_UNREADABLE, f"{_unreadable(QUANTITY)} OR {refused_for(QUANTITY_UNREADABLE)}"),
    (QUANTITY_NOT_POSITIVE, refused_for(QUANTITY_NOT_POSITIVE)),
    (PRICE_UNREADABLE, f"{_unreadable(PRICE)} OR {refused_for(PRICE_UNREADABLE)}"),
    (PRICE_NEGATIVE, refused_for(PRICE_NEGATIVE)),
    (CURRENCY_UNREADABLE, refused_for(CURRENCY_UNREADABLE)),
    (DWELL_UNREADABLE, f"{_unreadable(DWELL_MS)} OR {refused_for(DWELL_UNREADABLE)}"),
    (DWELL_NEGATIVE, refused_for(DWELL_NEGATIVE)),
    (RATING_UNREADABLE, _unreadable(RATING)),
    (RATING_OUT_OF_RANGE, refused_for(RATING_OUT_OF_RANGE)),
    (POSITION_UNREADABLE, _unreadable(SOURCE_POSITION)),
)
