"""The inbox as a source: events posted to the API become a day's delivery like any other.

Every row is exported once: with its own day, or, if it came after that day's export, with the next
day's as a late row. A watermark, the last position that an export saw, tells the two apart.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Engine, and_, func, or_, select, text

from features.events.delivery import DELIVERY_MARKER
from features.events.schema import EVENT_ID, OCCURRED_AT, SOURCE_POSITION, USER_ID
from features.events.sources.canonical import INBOX
from infra.lake import Lake, read_json, write_json, written_aside
from infra.partitions import day_end, day_start
from infra.settings import Settings
from infra.tables import inbox

FILE_NAME: Final = "inbox.jsonl"
_WATERMARK: Final = "watermark"


def inbox_file(settings: Settings, engine: Engine, day: date) -> Path | None:
    """Export what the inbox holds for ``day``, by position, into its landing folder.

    A day is exported once; later calls return the same file. Rows that come afterwards go with the
    next day that is exported.

    Returns:
        The file of JSON lines in canonical column names, or None if there was nothing.
    """
    folder = settings.lake.landing_day(INBOX.name, day)
    path, marker = folder / FILE_NAME, folder / DELIVERY_MARKER
    if not marker.exists():
        path.unlink(missing_ok=True)  # an export that was cut short
        with engine.begin() as connection:
            last = _last_position(connection)
        with engine.connect() as connection, written_aside(path) as aside:
            _write(aside, _rows(connection, covered(settings, day, after=_exported_before(folder), last=last)))
        if path.stat().st_size == 0:
            path.unlink()
        # written last: it says that the export is whole
        delivered = settings.shop_clock().now().isoformat()
        write_json(marker, {"delivered_at": delivered, _WATERMARK: last})
    return path if path.exists() else None


def _last_position(connection: Connection) -> int:
    """The last position below which no row is still being written: writers are waited for."""
    connection.execute(text(f"LOCK TABLE {inbox.name} IN SHARE MODE"))
    return int(connection.scalar(select(func.coalesce(func.max(inbox.c.position), 0))) or 0)


def _exported_before(folder: Path) -> int:
    """The watermark of the last day exported before this one's."""
    markers = sorted(path for path in folder.parent.glob(f"dt=*/{DELIVERY_MARKER}") if path.parent.name < folder.name)
    return int(read_json(markers[-1])[_WATERMARK]) if markers else 0


def covered(settings: Settings, day: date, *, after: int, last: int) -> ColumnElement[bool]:
    """The rows that the export of ``day`` takes: its own up to position ``last``, older ones after ``after``."""
    start, end = day_start(day, settings.zone), day_end(day, settings.zone)
    return and_(
        inbox.c.position <= last,
        inbox.c.occurred_at < end,
        or_(inbox.c.occurred_at >= start, inbox.c.position > after),
    )


def exported(lake: Lake) -> Iterator[tuple[date, int, int]]:
    """Each day whose export is whole, in order: the day, and ``after`` and ``last`` of what it covers."""
    after = 0
    for marker in sorted(lake.landing(INBOX.name).glob(f"dt=*/{DELIVERY_MARKER}")):
        last = int(read_json(marker)[_WATERMARK])
        yield date.fromisoformat(marker.parent.name.removeprefix("dt=")), after, last
        after = last


def _rows(connection: Connection, wanted: ColumnElement[bool]) -> Iterator[dict[str, Any]]:
    found = connection.execution_options(yield_per=10_000).execute(
        select(inbox).where(wanted).order_by(inbox.c.position)
    )
    for row in found.mappings():
        yield {
            **row["payload"],
            EVENT_ID: row[EVENT_ID],
            USER_ID: row[USER_ID],
            OCCURRED_AT: row[OCCURRED_AT].isoformat(),
            SOURCE_POSITION: row["position"],
        }


def _write(path: Path, rows: Iterator[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8") as stream:
        for row in rows:
            stream.write(json.dumps(row, sort_keys=True, ensure_ascii=False) + "\n")
