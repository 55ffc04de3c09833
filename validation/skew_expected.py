"""What a sampled answer should have known about its user, and why it could rightly have known something else.

An answer stands on the rows of the last closed day that was online (``as_of``) and on the events posted since. While
a newer closed day is on its way online, its rows are right as well; of all rows those versions count that were known
then. Other things that were known only afterwards are no fault of the answer; the reasons say so, and its differences
are counted apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Engine, select

from features.engine import connect
from features.past import Past
from features.state_table import values_of
from infra.partitions import Span, day_of
from infra.served import Served
from infra.settings import Settings
from infra.tables import inbox
from validation.skew_deliveries import Deliveries

#: An event that was posted less than this before an answer may have been on its way: it counts if the answer saw it.
IN_FLIGHT: Final = timedelta(seconds=10)

#: Why an answer may differ from what the lake says today.
REASONS: Final = {
    "refused": "the answer saw an event that the lake did not take",
    "crowded": "the user posted more events since the closed day than answers see (live_events)",
    "told": "the answer saw an event with an item whose category was told after the day that was online",
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
    deliveries = Deliveries(settings)
    posted = _posted(database, samples)
    span = _days_to_read(settings, samples)
    with connect(settings) as connection:
        past = Past(connection, settings, [sample.user_id for sample in samples], span)
        return [_expected(sample, posted.get(sample.user_id, []), deliveries, past, settings) for sample in samples]


def _days_to_read(settings: Settings, samples: Sequence[Served]) -> Span:
    """From the oldest ``as_of`` to the last moment."""
    since = min(day_of(sample.as_of, settings.zone) for sample in samples)
    until = max(day_of(sample.moment, settings.zone) for sample in samples)
    return Span(since, until + timedelta(days=1))


def _expected(
    sample: Served, posted: Sequence[Posted], deliveries: Deliveries, past: Past, settings: Settings
) -> Expected:
    known = {
        one.event_id
        for one in posted
        if one.position in sample.seen or one.received_at <= sample.at - IN_FLIGHT
        if sample.as_of <= one.occurred_at < sample.moment
    }
    as_ofs = [sample.as_of, *deliveries.next_days(sample.as_of, sample.at)]
    states = [
        past.state(sample.user_id, as_of, sample.moment, known, told)
        for as_of in as_ofs
        for told in deliveries.known_at(as_of, sample.at)
    ]
    logged = past.events(sample.user_id, sample.as_of, sample.moment)
    online = deliveries.online_at(sample.as_of, sample.at)
    reasons = {
        "refused": bool(known - {event.event_id for event in logged}),
        "crowded": len(known) > settings.live_limit,
        "told": any(
            event.category != deliveries.categories(online).get(event.item_id, "")
            for event in logged
            if event.event_id in known and event.item_id
        ),
    }
    return Expected(
        states=tuple(values_of(state) for state in states),
        reasons=frozenset(name for name, holds in reasons.items() if holds),
        behind=len(as_ofs) > 1,
        unseen=sum(event.event_id not in known for event in logged),
    )


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
