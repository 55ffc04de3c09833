"""A user's interest now: strengths by category, their shares, and which way they go."""

from __future__ import annotations

from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from features.state import UserState
from serving.explain import past_events
from serving.schemas import CategoryInterest, Interest
from serving.shelf import Shelf
from serving.state import Known

#: A category rises when its share at the half-life before the middle one is this many times that at the longest.
TREND: Final = 1.25
LAST_EVENTS: Final = 20

Trend = Literal["rising", "falling", "stable"]


def interest_of(known: Known, shelf: Shelf) -> Interest:
    """The profile of a state; empty for a user never seen."""
    state = known.state
    return Interest(
        user_id=state.user_id,
        known=state.known,
        moment=known.moment,
        as_of=known.as_of,
        degraded=not known.complete,
        half_life_days=state.half_life_days[_middle(state)],
        trend_threshold=TREND,
        categories=_categories(state),
        last_events=past_events(state, shelf)[::-1][:LAST_EVENTS],
    )


def trend(short: float, long: float) -> Trend:
    """Compare a category's share of the recent interest with that of the long one."""
    if short >= TREND * long:
        return "rising"
    return "falling" if short * TREND <= long else "stable"


def _categories(state: UserState) -> list[CategoryInterest]:
    named = np.array([bool(name) for name in state.interest.categories], dtype=bool)
    strengths = state.interest.at(state.moment_us, state.half_life_days)[named]
    names = [name for name in state.interest.categories if name]
    shares = _shares(strengths)
    middle, recent, longest = _middle(state), max(_middle(state) - 1, 0), len(state.half_life_days) - 1
    rows = [
        CategoryInterest(
            category=name,
            share=float(shares[place, middle]),
            strengths={
                f"{days}d": float(value) for days, value in zip(state.half_life_days, strengths[place], strict=True)
            },
            trend=trend(float(shares[place, recent]), float(shares[place, longest])),
        )
        for place, name in enumerate(names)
    ]
    return sorted(rows, key=lambda row: (-row.share, row.category))


def _shares(strengths: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shares of the rows at each half-life (columns)."""
    total = strengths.sum(axis=0)
    shares: NDArray[np.float64] = np.divide(strengths, total, out=np.zeros_like(strengths), where=total > 0)
    return shares


def _middle(state: UserState) -> int:
    return len(state.half_life_days) // 2
