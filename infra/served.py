"""What a sample of the answers knew about their users, kept in PostgreSQL until the log can tell whether it is so."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine, delete, func, literal, select
from sqlalchemy.dialects.postgresql import insert

from infra.partitions import day_end, day_of, day_start
from infra.settings import Settings
from infra.tables import served


@dataclass(frozen=True)
class Served:
    """One answer, see ``infra.tables.ServedRow``; ``features`` by column of ``features.state_table``."""

    request_id: str
    user_id: str
    at: datetime
    moment: datetime
    as_of: datetime
    seen: list[int]
    feature_service: str
    features: dict[str, Any]


def keep(database: Engine, settings: Settings, one: Served) -> bool:
    """Write down one answer, unless its shop day has ``skew_samples_a_day`` of them; returns whether it was.

    Several processes that write at once may pass the bound by one each.
    """
    day = day_of(one.at, settings.zone)
    of_day = served.c.at >= day_start(day, settings.zone), served.c.at < day_end(day, settings.zone)
    count = select(func.count()).select_from(served).where(*of_day).scalar_subquery()
    values = [literal(value, served.c[name].type) for name, value in asdict(one).items()]
    row = select(*values).where(count < settings.skew_samples_a_day)
    statement = insert(served).from_select(_names(), row).on_conflict_do_nothing()
    with database.begin() as connection:
        return bool(connection.execute(statement).rowcount)


def served_between(database: Engine, start: datetime, end: datetime) -> list[Served]:
    """The answers kept of ``[start, end)``, by moment and user."""
    wanted = select(served).where(served.c.at >= start, served.c.at < end)
    with database.connect() as connection:
        rows = connection.execute(wanted.order_by(served.c.moment, served.c.user_id, served.c.request_id)).mappings()
        return [Served(**row) for row in rows]


def forget_served(settings: Settings, database: Engine, now: datetime, *, dry_run: bool = False) -> int:
    """Delete the answers that were kept more than ``keep_served_days`` before ``now``, and say how many.

    In a dry run nothing goes. At most ``removals_a_run`` go at once, the oldest first.
    """
    if not settings.keep_served_days:
        return 0
    old = served.c.at < now - timedelta(days=settings.keep_served_days)
    wanted = select(served.c.request_id).where(old).order_by(served.c.at).limit(settings.removals_a_run)
    with database.begin() as connection:
        found = connection.scalars(wanted).all()
        if found and not dry_run:
            connection.execute(delete(served).where(served.c.request_id.in_(found)))
    return len(found)


def _names() -> list[str]:
    return [field.name for field in fields(Served)]
