"""What is known about a user this moment: the store's row, advanced by the live events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from features.advance import advance
from features.live.events import LiveEvents
from features.state import UserState, from_row
from infra.moments import microseconds, moment_of
from infra.partitions import day_end, day_of
from infra.settings import Settings
from serving.ports import Store
from serving.view import View


@dataclass(frozen=True)
class Known:
    """A user's state; not ``complete``: live events may be missing. ``as_of``: up to where the store's row goes.

    ``seen``: positions in the inbox of the live events that are in the state.
    """

    state: UserState
    as_of: datetime | None
    complete: bool
    seen: tuple[int, ...] = ()

    @property
    def moment(self) -> datetime:
        return moment_of(self.state.moment_us)


def state_of(user_id: str, now: datetime, view: View, store: Store, live: LiveEvents, settings: Settings) -> Known:
    """The user's state just after the last event there is, and not before ``now``.

    Events that a client's clock puts ahead of the shop's (by no more than the tolerance) are seen at
    once; so the state's moment can be that much later than ``now``.

    Raises:
        whatever the store raises when it does not answer.
    """
    meta = view.served.bundle.meta if view.served else settings
    row = store.user(user_id, now)
    base = from_row(user_id, row, meta.window_days, meta.half_life_days)
    since = _horizon(row, view.as_of, settings)
    recent = live.recent(user_id, microseconds(view.as_of) if view.as_of else 0)
    events = [event.seen(view.category(event.item_id)) for event in recent.events if event.occurred_us >= since]
    moment_us = max([microseconds(now), *(event.occurred_us + 1 for event in events)])
    state = advance(
        base,
        events,
        moment_us,
        sequence_length=settings.sequence_length,
        history_items=settings.history_items,
        session_minutes=settings.session_minutes,
    )
    return Known(state, view.as_of, recent.complete, tuple(event.position for event in events))


def _horizon(row: Mapping[str, Any], as_of: datetime | None, settings: Settings) -> int:
    """From where on events are not in the row: rows are written before the day is announced."""
    times = row.get("sequence_times_us")
    covered = microseconds(as_of) if as_of else 0
    if times is None or not len(times):
        return covered
    last = moment_of(int(times[-1]))
    return max(covered, microseconds(day_end(day_of(last, settings.zone), settings.zone)))
