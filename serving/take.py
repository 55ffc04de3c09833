"""Takes posted events, and says what became of them as the API does."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from features.live.events import LiveEvents
from features.live.inbox import IdsTaken, Inbox
from features.live.posted import PostedEvent
from features.live.take import take
from infra.errors import ServiceError
from serving.metrics import Metrics
from serving.problems import LISTED, Problem, unavailable
from serving.schemas import EventStatus, Taken


def take_posted(
    posted: Sequence[PostedEvent], now: datetime, currency: str, inbox: Inbox, live: LiveEvents, metrics: Metrics
) -> Taken:
    """Take events in, all or none.

    Raises:
        Problem: 409, an id is taken by other content; 503, PostgreSQL is down.
    """
    try:
        filed = take(posted, now, currency, inbox, live)
    except IdsTaken as error:
        raise Problem(409, error.what, extra={"event_ids": list(error.ids[:LISTED])}) from error
    except ServiceError as error:
        raise unavailable(error.what) from error
    for one in filed:
        metrics.events.labels(one.status).inc()
    accepted = sum(one.status == "accepted" for one in filed)
    statuses = [EventStatus(event_id=one.event_id, status=one.status) for one in filed]
    return Taken(accepted=accepted, duplicate=len(filed) - accepted, events=statuses)
