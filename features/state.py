"""All that is known about one user strictly before a moment.

The same two functions serve training and answering: ``from_row`` reads what the store holds as of the last
closed day, ``features.advance.advance`` adds the events since then. Training calls them with the events of
the log, serving with those that the API took, so both see the same numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.decay import carry
from features.rhythm import Rhythm
from features.views import PROFILE_CATEGORIES, interest_column
from features.window_views import WINDOW_BEHAVIOURS, user_window_columns

Strings = tuple[str, ...]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Live:
    """One event of a user, as ``advance`` needs it; ``occurred_us`` in microseconds since 1970 UTC."""

    item_id: str | None
    category: str
    event_type: str
    occurred_us: int
    position: int = 0
    dwell_ms: int = 0
    event_id: str = ""


@dataclass(frozen=True)
class Sequence:
    """The last events with an item (``SEQUENCED``), oldest first; all of one length."""

    items: Strings = ()
    categories: Strings = ()
    types: Strings = ()
    times_us: tuple[int, ...] = ()
    dwell_ms: tuple[int, ...] = ()
    gaps_us: tuple[int, ...] = ()
    starts: tuple[int, ...] = ()


@dataclass(frozen=True)
class Interest:
    """Strengths per category (rows) and half-life (columns) at ``as_of_us``; when each was wanted first and last."""

    categories: Strings
    strengths: NDArray[np.float64]
    as_of_us: int
    first_us: tuple[int, ...] = ()
    last_us: tuple[int, ...] = ()

    def at(self, moment_us: int, half_life_days: tuple[int, ...]) -> NDArray[np.float64]:
        """Strengths carried to ``moment_us``, shape (categories, half-lives)."""
        return carry(self.strengths, moment_us - self.as_of_us, half_life_days)

    def profile(self, half_life: int) -> tuple[Strings, tuple[float, ...]]:
        """F = (C, S): the strongest categories by the half-life in this column, strongest first, and their shares.

        Shares of one half-life are the same at any moment, for all strengths fade alike. Once they have faded beyond
        what a number can hold (a thousand half-lives) they are zero.
        """
        strengths = self.strengths[:, half_life]
        top = sorted(range(len(self.categories)), key=lambda at: (-strengths[at], self.categories[at]))
        kept = top[:PROFILE_CATEGORIES]
        total = sum(float(strengths[at]) for at in kept)
        shares = tuple(float(strengths[at]) / total if total > 0 else 0.0 for at in kept)
        return tuple(self.categories[at] for at in kept), shares


@dataclass(frozen=True)
class ItemHistory:
    """Which items the user wanted, latest first: interactions, purchases, the last moment and the rhythm of each."""

    items: Strings = ()
    times: tuple[int, ...] = ()
    purchases: tuple[int, ...] = ()
    last_us: tuple[int, ...] = ()
    rhythms: tuple[Rhythm, ...] = ()


@dataclass(frozen=True)
class UserState:
    """What is known about ``user_id`` strictly before ``moment_us``."""

    user_id: str
    moment_us: int
    window_days: tuple[int, ...]
    half_life_days: tuple[int, ...]
    sequence: Sequence
    interest: Interest
    history: ItemHistory
    windows: Mapping[str, float]
    today: Mapping[str, int]

    @property
    def known(self) -> bool:
        """Whether this user ever did anything with an item."""
        return bool(self.sequence.items)


def from_row(
    user_id: str, row: Mapping[str, Any], window_days: tuple[int, ...], half_life_days: tuple[int, ...]
) -> UserState:
    """The state that a feature row holds; a missing value is an empty list or a zero.

    Args:
        row: values by column of ``features.views``, those of expired views already left out.
        window_days: lengths of the windows that the row holds.
    """
    columns = [_list(row, interest_column(days)) for days in half_life_days]
    strengths = np.asarray(columns, dtype=np.float64).reshape(len(half_life_days), -1).T
    return UserState(
        user_id=user_id,
        moment_us=int(row.get("interest_as_of_us") or 0),
        window_days=window_days,
        half_life_days=half_life_days,
        sequence=Sequence(
            tuple(_list(row, "sequence_items")),
            tuple(_list(row, "sequence_categories")),
            tuple(_list(row, "sequence_types")),
            tuple(int(time) for time in _list(row, "sequence_times_us")),
            tuple(int(dwell) for dwell in _list(row, "sequence_dwell_ms")),
            tuple(int(gap) for gap in _list(row, "sequence_gaps_us")),
            tuple(int(start) for start in _list(row, "sequence_session_starts")),
        ),
        interest=Interest(
            tuple(_list(row, "interest_categories")),
            strengths,
            int(row.get("interest_as_of_us") or 0),
            tuple(int(time) for time in _list(row, "interest_first_us")),
            tuple(int(time) for time in _list(row, "interest_last_us")),
        ),
        history=ItemHistory(
            tuple(_list(row, "history_items")),
            tuple(int(times) for times in _list(row, "history_times")),
            tuple(int(count) for count in _list(row, "history_purchases")),
            tuple(int(time) for time in _list(row, "history_last_us")),
            _rhythms(row),
        ),
        windows={column: row.get(column) or 0 for column in user_window_columns(window_days)},
        today=dict.fromkeys(WINDOW_BEHAVIOURS, 0),
    )


def _rhythms(row: Mapping[str, Any]) -> tuple[Rhythm, ...]:
    """The rhythm of each item; a row that was written before there were any says one visit of each."""
    told = zip(*(_list(row, f"history_{name}") for name in Rhythm._fields), strict=True)
    return tuple(Rhythm(int(visits), *gaps) for visits, *gaps in told) or (Rhythm(1),) * len(
        _list(row, "history_items")
    )


def _list(row: Mapping[str, Any], column: str) -> list[Any]:
    value = row.get(column)
    return [] if value is None else list(value)
