"""Takes posted events: durable first, then known to the next answer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from serving.entry import entry_of
from serving.inbox import Filed, Inbox
from serving.live import LiveEvents
from serving.live_event import LiveEvent
from serving.metrics import Metrics
from serving.posted import PostedEvent
from serving.problems import Problem
from serving.schemas import EventStatus, Taken


def take(
    posted: Sequence[PostedEvent], now: datetime, currency: str, inbox: Inbox, live: LiveEvents, metrics: Metrics
) -> Taken:
    """Store events, all or none, and add them to their users' live events.

    Raises:
        Problem: as ``Inbox.file`` does.
    """
    entries = [entry_of(event, now, currency) for event in posted]
    announced = live.announce(entry.user_id for entry in entries if entry.user_id is not None)
    try:
        filed = inbox.file(entries, now)
    except Problem as problem:
        if problem.status == 409:  # refused, so nothing was stored; otherwise nobody knows
            live.settle(announced, {})
        else:
            live.abandon(announced)
        raise
    except BaseException:
        live.abandon(announced)
        raise
    live.settle(announced, _by_user(filed))
    return _taken(filed, metrics)


def _by_user(filed: Sequence[Filed]) -> dict[str, list[LiveEvent]]:
    events: defaultdict[str, list[LiveEvent]] = defaultdict(list)
    for one in filed:
        if one.user_id is not None:
            events[one.user_id].append(one.live)
    return dict(events)


def _taken(filed: Sequence[Filed], metrics: Metrics) -> Taken:
    for one in filed:
        metrics.events.labels(one.status).inc()
    accepted = sum(one.status == "accepted" for one in filed)
    statuses = [EventStatus(event_id=one.event_id, status=one.status) for one in filed]
    return Taken(accepted=accepted, duplicate=len(filed) - accepted, events=statuses)
