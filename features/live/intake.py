"""Opens what taking events in needs: the inbox in PostgreSQL, and the live events in Valkey."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from features.live.events import LiveEvents
from features.live.inbox import Filed, Inbox
from features.live.rows import read_rows
from features.live.take import take
from infra.database import engine
from infra.settings import Settings
from infra.valkey import valkey_url


def take_in(settings: Settings, rows: Sequence[dict[str, object]]) -> list[Filed]:
    """Take events in as ``POST /v1/events`` does, all or none; what became of each, in order.

    Args:
        rows: events by column name, as JSON would say them.

    Raises:
        DeliveryError: rows that are no events, or ids that belong to other events; nothing was stored.
        ServiceError: PostgreSQL is down.
    """
    now = settings.shop_clock().now()
    latest = now + timedelta(seconds=settings.clock_tolerance_seconds)
    posted = read_rows(rows, latest, settings.api_batch_events)
    if not posted:
        return []
    with _opened(settings) as (inbox, live):
        return take(posted, now, settings.currency, inbox, live)


def patient_for(settings: Settings, milliseconds: int) -> redis.Redis:
    """A client of Valkey that waits so long for a connection and for an answer, and tries twice."""
    seconds = milliseconds / 1000
    return redis.Redis.from_url(
        valkey_url(settings),
        socket_timeout=seconds,
        socket_connect_timeout=seconds,
        retry=Retry(NoBackoff(), 1),
    )


@contextmanager
def _opened(settings: Settings) -> Iterator[tuple[Inbox, LiveEvents]]:
    inbox = Inbox(engine(settings))
    live = LiveEvents(patient_for(settings, settings.api_timeout_ms), inbox, settings.live_limit)
    try:
        yield inbox, live
    finally:
        live.close()
        inbox.close()
