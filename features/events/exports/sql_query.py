"""What a SQL source asks: a SELECT or a table to read, and the column that tells what is new in it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, FromClause, Select, column, false, literal_column, select, table, text
from sqlalchemy.sql.elements import TextClause

from infra.errors import SettingsError
from infra.settings import Settings

_SELECT: Final = re.compile(r"[\s(]*(SELECT|WITH)\b", re.IGNORECASE)
_PART: Final = r'(?:"[^"]+"|[^\W\d][\w$]*)'
_NAME: Final = re.compile(rf"{_PART}(\.{_PART})*")


@dataclass(frozen=True)
class Question:
    """The settings ``sql_query``, as something to select from, and ``sql_watermark``."""

    rows: FromClause | TextClause
    watermark: str

    @property
    def column(self) -> ColumnElement[Any]:
        return column(self.watermark)


def question(settings: Settings) -> Question:
    """What the settings ask.

    Raises:
        SettingsError: the query ends in a semicolon, or is neither a SELECT nor a name.
    """
    said = settings.sql_query.strip()
    if said.endswith(";"):
        raise SettingsError("The setting sql_query ends in ';'.", "Leave it out: the query becomes part of another.")
    if _SELECT.match(said):
        # a colon would begin a parameter; the line's end closes a comment
        return Question(text("(\n" + said.replace(":", r"\:") + "\n) penchant_rows"), settings.sql_watermark)
    if not _NAME.fullmatch(said):
        raise SettingsError(
            f"The setting sql_query is neither a SELECT nor the name of a table: {said[:80]}",
            "Write SELECT …, a table, or schema.table; put a name with other signs in double quotes.",
        )
    *schema, name = (part.strip('"') for part in re.findall(_PART, said))
    return Question(table(name, schema=".".join(schema) or None), settings.sql_watermark)


def columns_of(connection: Connection, asked: Question) -> list[str]:
    """The columns that the query gives, in order.

    Raises:
        SettingsError: two of them have one name, or none is the watermark.
    """
    nothing: Select[Any] = select(literal_column("*")).select_from(asked.rows).where(false())
    names = list(connection.execute(nothing).keys())
    # SQLite makes a, a of it: a, a:1
    lowered = [re.sub(r":\d+$", "", name.lower()) for name in names]
    twice = sorted({name for name in lowered if lowered.count(name) > 1})
    if twice:
        raise SettingsError(f"The query gives a column twice: {', '.join(twice)}.", "Name each with AS in sql_query.")
    if asked.watermark not in names:
        raise SettingsError(
            f"The query has no column {asked.watermark}; found: {', '.join(names)}.", "Mend sql_watermark or sql_query."
        )
    return names
