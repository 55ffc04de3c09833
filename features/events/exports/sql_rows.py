"""Rows of a SQL source as texts, a few at a time: what the database says, exactly."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import date, time
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Text, cast, column, select

from features.events.exports.sql_query import Question

_ROWS: Final = 10_000


def rows_of(
    connection: Connection, asked: Question, columns: Sequence[str], wanted: ColumnElement[bool]
) -> Iterator[dict[str, str | None]]:
    """The rows that are wanted, by watermark; each cell the text of its value, or None for NULL.

    Decimals keep their digits, times their offset, JSON its spelling; bytes are written in hex after ``\\x``.
    """
    cells: list[ColumnElement[Any]] = [column(name) for name in columns]
    if connection.dialect.name == "postgresql":
        # its own texts: Python has no infinite time, and would read JSON's numbers as floats
        cells = [cast(cell, Text) for cell in cells]
    query = select(*cells).select_from(asked.rows).where(wanted).order_by(asked.column)
    with connection.execution_options(yield_per=_ROWS).execute(query) as found:
        for row in found:
            yield dict(zip(columns, map(_text, row), strict=True))


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, (bytes, memoryview)):
        return f"\\x{bytes(value).hex()}"
    if isinstance(value, Decimal):
        return f"{value:f}"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (bool, dict, list)) else str(value)
