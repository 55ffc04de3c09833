"""A SQL query as a source: its new rows become a file in a landing folder, and that an ordinary delivery.

New is what lies above the highest watermark that was read before. An export sees the database at one moment.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, ColumnElement, Connection, case, func, literal, select, true

from features.events.exports.export import Mark, Reading, Rows, export, went_back
from features.events.exports.sql_database import address, one_view, shown
from features.events.exports.sql_query import Question, columns_of, question
from features.events.exports.sql_rows import rows_of
from features.events.exports.watermark import is_new, recalled, remembered
from features.events.landing_folder import CLOSED_MARKER, DELIVERY_MARKER
from features.events.sources.canonical import INBOX
from infra.errors import DeliveryError, SettingsError
from infra.settings import Settings

FILE_NAME: Final = "sql.jsonl"
_OF: Final = "of"


def sql_file(settings: Settings, source: str, day: date) -> Path | None:
    """Export what is new in the database ``sql_url`` into the landing folder of a day, once.

    A day that was released (``_CLOSED``) is left alone; its rows come with the next one's.

    Returns:
        The file of JSON lines with the columns of the query, or None if there was nothing new.

    Raises:
        SettingsError: the query cannot be used.
        DeliveryError: the watermarks cannot tell what is new.
        ServiceError: the database does not answer, or stopped answering.
    """
    folder = settings.lake.landing_day(source, day)
    if (folder / CLOSED_MARKER).exists():
        return None
    return _export(settings, folder, partial(_beyond, settings, folder.parent), whole=False)


def sql_history(settings: Settings, source: str) -> None:
    """Export everything in the database ``sql_url`` into the landing folder of the history, once.

    Raises:
        SettingsError, DeliveryError, ServiceError: as for a day; also if there is no row at all.
    """
    folder = settings.lake.landing_history(source)
    _export(settings, folder, partial(_everything, settings, folder.parent), whole=True)


def _export(settings: Settings, folder: Path, reading: Reading, *, whole: bool) -> Path | None:
    if folder.parent == settings.lake.landing(INBOX.name):
        raise SettingsError("What was posted is no place for the rows of sql_url.", "Set source to canonical.")
    return export(settings, folder, FILE_NAME, reading, whole=whole)


@contextmanager
def _everything(settings: Settings, landing: Path, after: Mark | None) -> Iterator[tuple[Mark, Rows]]:
    with _beyond(settings, landing, after) as (last, rows):
        if last is None:
            raise DeliveryError("The query sql_query has no rows.", "Mend it, or fill the database.")
        yield last, rows


@contextmanager
def _beyond(settings: Settings, landing: Path, after: Mark | None) -> Iterator[tuple[Mark | None, Rows]]:
    url, asked = address(settings), question(settings)
    digest = _digest(url, settings)
    before = _before(after, digest, landing)
    with one_view(url) as connection:
        columns = columns_of(connection, asked)
        highest, is_lower = _highest(connection, asked, before)
        if is_lower:
            raise went_back(f"The query sql_query at {shown(url)}", landing)
        if highest is None:
            yield after, ()
        else:
            wanted = true() if before is None else is_new(asked.column, before, settings.sql_overlap)
            mark = {_OF: digest, **remembered(highest, asked.watermark)}
            yield mark, rows_of(connection, asked, columns, wanted)


def _before(after: Mark | None, digest: str, landing: Path) -> Any:
    """The watermark to go on from, None to begin."""
    if after is None:
        return None
    if after[_OF] != digest:
        raise DeliveryError(
            f"sql_url, sql_query or sql_watermark is not what it was when {after['value']} was the last value read.",
            f"Delete {landing}/*/{DELIVERY_MARKER} to read everything again (what came with an event_id is a duplicate "
            f'then), or go on from there by writing "{_OF}": "{digest}" into the one that was written last.',
        )
    return recalled(after)


def _highest(connection: Connection, asked: Question, before: Any) -> tuple[Any, bool]:
    """The highest watermark, None without rows, and whether it is lower than the one before."""
    without = select(func.count()).select_from(asked.rows).where(asked.column.is_(None))
    if nulls := connection.scalar(without):
        raise DeliveryError(
            f"{nulls} rows of sql_query have no {asked.watermark}: they would never be read.",
            "Fill it, read it as coalesce(…) AS …, or leave these rows out in sql_query.",
        )
    highest: ColumnElement[Any] = func.max(asked.column)
    is_lower = literal(0) if before is None else case((highest < before, 1), else_=0)
    found = connection.execute(select(highest, is_lower).select_from(asked.rows)).one()
    return found[0], bool(found[1])


def _digest(url: URL, settings: Settings) -> str:
    """What a watermark is a watermark of; of another table it would say nothing."""
    said = (url.host, url.port, url.database, settings.sql_query, settings.sql_watermark)
    return hashlib.sha256("\n".join(map(str, said)).encode()).hexdigest()[:16]
