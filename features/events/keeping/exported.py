"""Rows of the inbox that had their time: they are exported, and the delivery that they became is published."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from sqlalchemy import ColumnElement, Connection, Engine, and_, delete, func, select

from features.events.delivery import delivery_id, describe
from features.events.exports.inbox import FILE_NAME, exported
from features.events.landing_folder import published_from
from features.events.log import listed
from features.events.sources.canonical import INBOX
from infra.partitions import Span
from infra.settings import Settings
from infra.tables import inbox


def forget_exported(settings: Settings, engine: Engine, now: datetime, *, dry_run: bool = False) -> int:
    """Delete rows that happened and came more than ``keep_inbox_days`` before ``now``, and are in the lake.

    A row that no published export covers stays, however old. At most ``removals_a_run`` go at once.

    Returns:
        how many went, or would go in a dry run.
    """
    if not settings.keep_inbox_days:
        return 0
    before = now - timedelta(days=settings.keep_inbox_days)
    old = and_(inbox.c.received_at < before, inbox.c.occurred_at < before)
    with engine.begin() as connection:
        positions = _published(connection, settings, old)
        if positions and not dry_run:
            connection.execute(delete(inbox).where(inbox.c.position.in_(positions)))
    return len(positions)


def _published(connection: Connection, settings: Settings, old: ColumnElement[bool]) -> list[int]:
    """Positions of rows that are ``old`` and that a published export took, the lowest of each export."""
    lowest = connection.scalar(select(func.min(inbox.c.position)).where(old))
    found: set[int] = set()
    for day, last, taken in exported(settings):
        missing = settings.removals_a_run - len(found)
        if lowest is None or last < lowest or missing <= 0:
            continue
        rows = select(inbox.c.position).where(and_(old, taken)).order_by(inbox.c.position).limit(missing)
        positions = set(connection.scalars(rows))
        if positions and _is_published(settings, day):
            found |= positions
    return sorted(found)


def _is_published(settings: Settings, day: date) -> bool:
    """Whether the partition of ``day`` counts what was exported for it; its file may have had its time."""
    folder = settings.lake.landing_day(INBOX.name, day)
    path = folder / FILE_NAME
    delivery = published_from(folder)
    if path.exists():
        delivery = delivery_id(INBOX.name, describe([path], settings.unpacked_bytes), Span.of_day(day))
    return delivery in listed(settings.lake, day).deliveries
