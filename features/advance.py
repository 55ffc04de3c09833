"""How events change what is known about a user: the same for training and for answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise

import numpy as np

from features.decay import MINUTE_US, WEIGHTS, carry, weight
from features.rhythm import Rhythm
from features.state import Interest, ItemHistory, Live, Sequence, UserState
from features.views import SEQUENCED
from features.window_views import INTERACTIONS, WINDOW_BEHAVIOURS


def advance(
    state: UserState,
    events: Iterable[Live],
    moment_us: int,
    *,
    sequence_length: int,
    history_items: int,
    session_minutes: int,
) -> UserState:
    """The state at ``moment_us``: ``state`` and the events since its last closed day.

    Events at or after ``moment_us`` are not seen. The order of ``events`` does not matter: they are
    taken by (time, position, event id).
    """
    seen = sorted(
        (event for event in events if event.occurred_us < moment_us),
        key=lambda event: (event.occurred_us, event.position, event.event_id, event.item_id or ""),
    )
    with_item = [event for event in seen if event.item_id]
    return replace(
        state,
        moment_us=moment_us,
        sequence=_extend(state.sequence, with_item, sequence_length, session_minutes * MINUTE_US),
        interest=_strengthen(state.interest, with_item, state.half_life_days),
        history=_remember(state.history, with_item, history_items),
        today=_count(seen),
    )


def _count(events: list[Live]) -> dict[str, int]:
    counts = Counter(event.event_type for event in events)
    return {behaviour: counts[behaviour] for behaviour in WINDOW_BEHAVIOURS}


def _extend(sequence: Sequence, events: list[Live], length: int, session_us: int) -> Sequence:
    events = [event for event in events if event.event_type in SEQUENCED]
    if not events:
        return sequence
    times = [event.occurred_us for event in events]
    # the first event of all has none before it, and begins a session
    gaps = [time - before for before, time in pairwise([*(sequence.times_us[-1:] or (times[0],)), *times])]
    starts = [int(gap >= session_us) for gap in gaps]
    starts[0] = starts[0] if sequence.times_us else 1
    return Sequence(
        (*sequence.items, *(event.item_id or "" for event in events))[-length:],
        (*sequence.categories, *(event.category for event in events))[-length:],
        (*sequence.types, *(event.event_type for event in events))[-length:],
        (*sequence.times_us, *times)[-length:],
        (*sequence.dwell_ms, *(event.dwell_ms for event in events))[-length:],
        (*sequence.gaps_us, *gaps)[-length:],
        (*sequence.starts, *starts)[-length:],
    )


def _strengthen(interest: Interest, events: list[Live], half_life_days: tuple[int, ...]) -> Interest:
    wanted = [event for event in events if event.event_type in WEIGHTS]
    if not wanted:
        return interest
    as_of_us = max(interest.as_of_us, wanted[-1].occurred_us)
    strengths = dict(zip(interest.categories, interest.at(as_of_us, half_life_days), strict=True))
    first = dict(zip(interest.categories, interest.first_us, strict=False))
    last = dict(zip(interest.categories, interest.last_us, strict=False))
    for event in wanted:
        added = carry(weight(event.event_type, event.dwell_ms), as_of_us - event.occurred_us, half_life_days)
        strengths[event.category] = strengths.get(event.category, 0.0) + added
        first.setdefault(event.category, event.occurred_us)
        last[event.category] = max(last.get(event.category, 0), event.occurred_us)
    categories = tuple(sorted(strengths))
    return Interest(
        categories,
        np.stack([strengths[category] for category in categories]),
        as_of_us,
        tuple(first.get(category, 0) for category in categories),
        tuple(last.get(category, 0) for category in categories),
    )


def _remember(history: ItemHistory, events: list[Live], limit: int) -> ItemHistory:
    known = zip(history.times, history.purchases, history.last_us, history.rhythms, strict=True)
    rows = dict(zip(history.items, known, strict=True))
    for event in events:
        if event.item_id and event.event_type in INTERACTIONS:
            rows[event.item_id] = _again(rows.get(event.item_id), event)
    latest = sorted(rows, key=lambda item: (-rows[item][2], item))[:limit]
    columns = zip(*(rows[item] for item in latest), strict=True)
    return ItemHistory(tuple(latest), *columns) if latest else ItemHistory()


def _again(known: tuple[int, int, int, Rhythm] | None, event: Live) -> tuple[int, int, int, Rhythm]:
    """Interactions, purchases, last moment and rhythm of an item with one interaction more."""
    bought = int(event.event_type == "purchase")
    if known is None:
        return 1, bought, event.occurred_us, Rhythm().after(None)
    times, purchases, last, rhythm = known
    return times + 1, purchases + bought, max(last, event.occurred_us), rhythm.after(event.occurred_us - last)
