"""Takes events in: durable first, then known to the next answer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from features.live.entry import entry_of
from features.live.event import LiveEvent
from features.live.events import LiveEvents
from features.live.inbox import Filed, IdsTaken, Inbox
from features.live.posted import PostedEvent


def take(posted: Sequence[PostedEvent], now: datetime, currency: str, inbox: Inbox, live: LiveEvents) -> list[Filed]:
    """Store events, all or none, and add them to their users' live events; what became of each, in order.

    Raises:
        IdsTaken, ServiceError: as ``Inbox.file`` does.
    """
    entries = [entry_of(event, now, currency) for event in posted]
    announced = live.announce(entry.user_id for entry in entries if entry.user_id is not None)
    try:
        filed = inbox.file(entries, now)
    except IdsTaken:  # refused, so nothing was stored; otherwise nobody knows
        live.settle(announced, {})
        raise
    except BaseException:
        live.abandon(announced)
        raise
    live.settle(announced, _by_user(filed))
    return filed


def _by_user(filed: Sequence[Filed]) -> dict[str, list[LiveEvent]]:
    events: defaultdict[str, list[LiveEvent]] = defaultdict(list)
    for one in filed:
        if one.user_id is not None:
            events[one.user_id].append(one.live)
    return dict(events)
