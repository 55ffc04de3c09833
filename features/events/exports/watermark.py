"""Watermarks: values of a column that only grows, as the marker of an export keeps them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import ColumnElement, literal

from infra.errors import DeliveryError, SettingsError

#: Name of a type -> how its values are read back from text.
_TYPES: Final[Mapping[str, Callable[[str], Any]]] = {
    "int": int,
    "Decimal": Decimal,
    "float": float,
    "datetime": datetime.fromisoformat,
    "date": date.fromisoformat,
    "str": str,
}
_TYPE, _VALUE = "type", "value"
_NO_TIME: Final = 9999  # how databases write "never" and infinity
_DAY: Final = 86_400  # seconds


def remembered(value: Any, column: str) -> dict[str, str]:
    """A value as JSON can hold it, exactly.

    Raises:
        DeliveryError: values of its type do not grow, or nothing can come after it.
    """
    kind = type(value).__name__
    if kind not in _TYPES:
        raise DeliveryError(
            f"The watermark {column} has values of the type {kind}.", f"Take one of {', '.join(_TYPES)}."
        )
    if _is_last(value):
        raise DeliveryError(
            f"The highest watermark {column} is {value}: no row would ever be new again.",
            "Mend that row, or leave it out in sql_query.",
        )
    return {_TYPE: kind, _VALUE: value.isoformat() if isinstance(value, date) else str(value)}


def recalled(mark: Mapping[str, str]) -> Any:
    """The value that was remembered."""
    return _TYPES[mark[_TYPE]](mark[_VALUE])


def is_new(column: ColumnElement[Any], value: Any, overlap: int) -> ColumnElement[bool]:
    """Whether a row lies above ``value``, or not more than ``overlap`` (ids, or seconds) below it.

    Rows may share a time, so rows of the time ``value`` itself are read again; an id belongs to one row.

    Raises:
        SettingsError: an overlap of texts.
    """
    if isinstance(value, datetime):
        return column >= value - timedelta(seconds=overlap)
    if isinstance(value, date):
        return column >= value - timedelta(days=math.ceil(overlap / _DAY))
    if isinstance(value, str) and overlap:
        raise SettingsError("The setting sql_overlap needs a watermark of numbers or times.", "Set it to 0.")
    # the database subtracts: Python rounds decimals of more than 28 digits
    return column > (literal(value) - overlap if overlap else literal(value))


def _is_last(value: Any) -> bool:
    if isinstance(value, date):
        return value.year == _NO_TIME
    return not isinstance(value, str) and not math.isfinite(value)
