"""The row-level rules, each once: what a good event is, over typed columns.

The ingest quarantines the rows that break them, the gate expects that none is left. A rule says both in
one place: the SQL condition of the rows that break it, and the Great Expectations class that finds the
same rows (by name: nothing here imports it). A test holds that both pick the same rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from features.events.rule import HORIZON, Rule, Severity, not_among, outside, unlike
from features.events.schema import (
    CAMPAIGN,
    COUNTRY,
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
    SESSION_ID,
    USER_ID,
    WITHOUT_ITEM,
)

ID_LENGTH: Final = 256
RATING_RANGE: Final = (0, 10)
#: More minor units, or milliseconds, is a slip.
AMOUNT_LIMIT: Final = 1_000_000_000
#: More pieces are a slip too; what nine thousand such events cost together fits 64 bits.
QUANTITY_LIMIT: Final = 1_000_000
EARLIEST: Final = datetime.fromisoformat("1990-01-01T00:00:00+00:00")

BEFORE_1990: Final = "before_1990"
IN_THE_FUTURE: Final = "in_the_future"
TYPE_MISSING: Final = "type_missing"
TYPE_UNKNOWN: Final = "type_unknown"
ITEM_MISSING: Final = "item_missing"
ID_TOO_LONG: Final = "id_too_long"
ID_UNREADABLE: Final = "id_unreadable"
QUANTITY_UNREADABLE: Final = "quantity_unreadable"
QUANTITY_NOT_POSITIVE: Final = "quantity_not_positive"
PRICE_UNREADABLE: Final = "price_unreadable"
PRICE_NEGATIVE: Final = "price_negative"
CURRENCY_UNREADABLE: Final = "currency_unreadable"
DWELL_UNREADABLE: Final = "dwell_unreadable"
DWELL_NEGATIVE: Final = "dwell_negative"
RATING_OUT_OF_RANGE: Final = "rating_out_of_range"


def missing(name: str, column: str, severity: Severity = "critical", **more: Any) -> Rule:
    """Nulls break it."""
    return Rule(name, severity, "ExpectColumnValuesToNotBeNull", {"column": column}, f"{column} IS NULL", **more)


def among(name: str, column: str, values: Iterable[Any], **more: Any) -> Rule:
    """Values that are none of these break it."""
    known = list(values)
    arguments = {"column": column, "value_set": known}
    return Rule(name, "critical", "ExpectColumnValuesToBeInSet", arguments, not_among(column, known), **more)


def between(name: str, column: str, low: Any, high: Any, **more: Any) -> Rule:
    """Values below ``low`` or above ``high`` break it."""
    arguments = {"column": column, "min_value": low, "max_value": high}
    return Rule(name, "critical", "ExpectColumnValuesToBeBetween", arguments, outside(column, low, high), **more)


def _not_too_long(column: str) -> Rule:
    return Rule(
        f"{column}_too_long",
        "critical",
        "ExpectColumnValueLengthsToBeBetween",
        {"column": column, "max_value": ID_LENGTH},
        outside(f"length({column})", None, ID_LENGTH),
        reason=ID_TOO_LONG,
    )


def _like(name: str, column: str, pattern: str, reason: str) -> Rule:
    arguments = {"column": column, "regex": pattern}
    return Rule(name, "critical", "ExpectColumnValuesToMatchRegex", arguments, unlike(column, pattern), reason=reason)


#: Country and campaign name segments, whose windows are looked up by them.
_IDS: Final = (USER_ID, ITEM_ID, EVENT_ID, SESSION_ID, COUNTRY, CAMPAIGN)

#: In the order in which a refused row names them. Patterns have no braces, which a source's conditions
#: have for columns of its files.
ROW_RULES: Final = (
    between(BEFORE_1990, OCCURRED_AT, EARLIEST, None, reason=BEFORE_1990),
    between(IN_THE_FUTURE, OCCURRED_AT, None, HORIZON, reason=IN_THE_FUTURE),
    missing(TYPE_MISSING, EVENT_TYPE, reason=TYPE_MISSING),
    among(TYPE_UNKNOWN, EVENT_TYPE, EVENT_TYPES, reason=TYPE_UNKNOWN),
    missing(ITEM_MISSING, ITEM_ID, unless=WITHOUT_ITEM, reason=ITEM_MISSING),
    *(_not_too_long(column) for column in _IDS),
    # control characters: nobody typed them, few stores and no address hold them
    *(_like(f"{column}_unreadable", column, r"\A[^\x00-\x1f\x7f-\x9f]*\Z", ID_UNREADABLE) for column in _IDS),
    between("quantity_too_large", QUANTITY, None, QUANTITY_LIMIT, reason=QUANTITY_UNREADABLE),
    between(QUANTITY_NOT_POSITIVE, QUANTITY, 1, None, reason=QUANTITY_NOT_POSITIVE),
    between("price_too_large", PRICE, None, AMOUNT_LIMIT, reason=PRICE_UNREADABLE),
    between(PRICE_NEGATIVE, PRICE, 0, None, reason=PRICE_NEGATIVE),
    _like(CURRENCY_UNREADABLE, CURRENCY, r"\A[A-Z][A-Z][A-Z]\Z", CURRENCY_UNREADABLE),
    between("dwell_too_large", DWELL_MS, None, AMOUNT_LIMIT, reason=DWELL_UNREADABLE),
    between(DWELL_NEGATIVE, DWELL_MS, 0, None, reason=DWELL_NEGATIVE),
    between(RATING_OUT_OF_RANGE, RATING, *RATING_RANGE, reason=RATING_OUT_OF_RANGE),
)


def refused_for(reason: str) -> str:
    """SQL condition of the rows that are refused for ``reason``, from all rules that name it."""
    return " OR ".join(rule.condition for rule in ROW_RULES if rule.reason == reason)
