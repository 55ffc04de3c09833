"""What a sampled answer should have known about its user, and why it could rightly have known something else.

An answer stands on the rows of the last closed day that was online (``as_of``) and on the events posted since. While
a newer closed day is on its way online, its rows are right as well. What was known only afterwards is no fault of
the answer; of such an answer the reasons say so, and its differences are counted apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any, Final

from sqlalchemy import Engine, select

from features.catalogue import catalogue
from features.engine import connect
from features.events.manifest import published
from features.events.schema import ITEM_ID
from features.past import Past
from features.state_table import values_of
from infra.partitions import Span, day_end, day_of
from infra.served import Served
from infra.settings import Settings
from infra.tables import inbox

#: An event that was posted less than this before an answer may have been on its way: it counts if the answer saw it.
IN_FLIGHT: Final = timedelta(seconds=10)

#: Why an answer may differ from what the lake says today.
REASONS: Final = {
    "late": "an event of the user from before the answer's closed day came after the answer",
    "refused": "the answer saw an event that the lake did not take",
    "crowded": "the user posted more events since the closed day than answers see (live_events)",
    "new_item": "the answer saw an event with an item whose category was told after it",
}


@dataclass(frozen=True)
class Expected:
    """What one answer is held against.

    Attributes:
        states: by feature; any of them is right, the first is of the answer's own ``as_of``.
        reasons: of ``REASONS``.
        behind: a closed day was known that was not online yet.
        unseen: events of the time since ``as_of`` came by another way than the API, after the answer.
    """

    states: tuple[dict[str, Any], ...]
    reasons: frozenset[str]
    behind: bool
    unseen: int


@dataclass(frozen=True)
class Posted:
    """A row of the inbox, as far as it matters here."""

    event_id: str
    position: int
    occurred_at: datetime
    received_at: datetime


def expectations(settings: Settings, database: Engine, samples: Sequence[Served]) -> list[Expected]:
    """What each of ``samples`` (at least one) should have known, in their order.

    Raises:
        FeatureError: a day from the oldest ``as_of`` to the last moment is not closed.
    """
    deliveries = _Deliveries(settings, min(sample.at for sample in samples))
    posted = _posted(database, samples)
    days = [day_of(sample.as_of, settings.zone) for sample in samples]
    until = max(day_of(sample.moment, settings.zone) for sample in samples)
    span = Span(min([*days, *(day for day in deliveries.changed if day <= until)]), until + timedelta(days=1))
    with connect(settings) as connection:
        past = Past(connection, settings, [sample.user_id for sample in samples], span)
        return [_expected(sample, posted.get(sample.user_id, []), deliveries, past, settings) for sample in samples]


def _expected(
    sample: Served, posted: Sequence[Posted], deliveries: _Deliveries, past: Past, settings: Settings
) -> Expected:
    known = {
        one.event_id
        for one in posted
        if one.position in sample.seen or one.received_at <= sample.at - IN_FLIGHT
        if sample.as_of <= one.occurred_at < sample.moment
    }
    as_ofs = [sample.as_of, *deliveries.online_since(sample.as_of, sample.at)]
    states = (past.state(sample.user_id, as_of, sample.moment, known) for as_of in as_ofs)
    logged = past.events(sample.user_id, sample.as_of, sample.moment)
    reasons = {
        "late": past.came_later(sample.user_id, as_ofs[-1], sample.at),
        "refused": bool(known - {event.event_id for event in logged}),
        "crowded": len(known) > settings.live_events,
        "new_item": any(
            event.item_id not in deliveries.items(sample.at)
            for event in logged
            if event.event_id in known and event.category
        ),
    }
    return Expected(
        states=tuple(values_of(state) for state in states),
        reasons=frozenset(name for name, holds in reasons.items() if holds),
        behind=len(as_ofs) > 1,
        unseen=sum(event.event_id not in known for event in logged),
    )


class _Deliveries:
    """What published deliveries say about when something could be known.

    Attributes:
        changed: closed days of which something came after ``first``, in order; a bulk history states its own lag.
    """

    def __init__(self, settings: Settings, first: datetime) -> None:
        self._settings = settings
        self._published = published(settings.lake)
        after = (one for one in self._published if one.delivered_at > first and not one.bulk)
        closed = set(settings.lake.closed_days())
        self.changed = sorted({day for one in after for day in one.days} & closed)
        self._items: dict[int, frozenset[str]] = {}

    def online_since(self, as_of: datetime, at: datetime) -> list[datetime]:
        """The ends of the closed days after ``as_of`` that had been delivered at ``at``, with none missing before."""
        zone, found = self._settings.zone, []
        day = day_of(as_of, zone)
        while (delivered := self._closed.get(day)) is not None and delivered <= at:
            found.append(day_end(day, zone))
            day += timedelta(days=1)
        return found

    def items(self, at: datetime) -> frozenset[str]:
        """The items that had been told at ``at``."""
        told = sum(one.delivered_at <= at for one in self._published)
        if told not in self._items:
            self._items[told] = frozenset(catalogue(self._settings, at)[ITEM_ID].to_pylist())
        return self._items[told]

    @cached_property
    def _closed(self) -> dict[date, datetime]:
        """Of each day when the first delivery arrived that closes it."""
        found: dict[date, datetime] = {}
        for one in self._published:
            for day in one.span.days() if one.closes else ():
                found[day] = min(found.get(day, one.delivered_at), one.delivered_at)
        return found


def _posted(database: Engine, samples: Sequence[Served]) -> dict[str, list[Posted]]:
    """What was posted of each user since the oldest ``as_of``."""
    columns = (inbox.c.user_id, inbox.c.event_id, inbox.c.position, inbox.c.occurred_at, inbox.c.received_at)
    users = sorted({sample.user_id for sample in samples})
    since = min(sample.as_of for sample in samples)
    found: dict[str, list[Posted]] = {}
    with database.connect() as connection:
        wanted = select(*columns).where(inbox.c.user_id.in_(users), inbox.c.occurred_at >= since)
        for row in connection.execute(wanted):
            user, *rest = row
            found.setdefault(user, []).append(Posted(*rest))
    return found
