"""Why an item is recommended: from what the model read, and from the weights that it gives back."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from features.decay import DAY_US
from features.state import UserState
from infra.moments import moment_of
from serving.retrieve import strongest_categories
from serving.schemas import Evidence, PastEvent, Reason
from serving.shelf import Shelf

#: Events named as responsible.
EVENTS: Final = 3
#: Of the user's strongest categories, these are reason enough to name.
CATEGORIES: Final = 5

Kind = Literal["bought", "wanted", "category", "popular", "range"]


@dataclass(frozen=True)
class Explainer:
    """Reasons for one user's items."""

    state: UserState
    shelf: Shelf

    def reason(self, item_id: str, attention: NDArray[np.float32] | None = None) -> Reason:
        """The reason for one item; ``attention`` (T,) when a model gave some."""
        kind = self._kind(item_id)
        return Reason(text=self._text(kind, item_id), kind=kind, evidence=self._evidence(item_id, attention))

    def _kind(self, item_id: str) -> Kind:
        if item_id in self._history:
            return "bought" if self._history[item_id][1] else "wanted"
        if self.shelf.category(item_id) in self._categories:
            return "category"
        return "popular" if self.shelf.users.get(item_id) else "range"

    def _text(self, kind: Kind, item_id: str) -> str:
        if kind in ("bought", "wanted"):
            times, purchases, last_us = self._history[item_id]
            done, count = ("Bought", purchases) if kind == "bought" else ("Looked at", times)
            return f"{done} {_times(count)}, last {_ago(self.state.moment_us - last_us)}."
        if kind == "category":
            last = self._last_of_category[self.shelf.category(item_id)]
            return f"More of {self.shelf.category(item_id)}, last chosen {_ago(self.state.moment_us - last)}."
        if kind == "popular":
            users = self.shelf.users[item_id]
            return f"Popular now: {users} customer{'s' * (users > 1)} chose it in the last {self.shelf.days} days."
        return "From the shop's range."

    def _evidence(self, item_id: str, attention: NDArray[np.float32] | None) -> Evidence:
        times, purchases, last_us = self._history.get(item_id, (0, 0, 0))
        category = self.shelf.category(item_id)
        return Evidence(
            times=times,
            purchases=purchases,
            last_at=moment_of(last_us) if times else None,
            category=category or None,
            category_share=self._shares.get(category, 0.0),
            users=self.shelf.users.get(item_id, 0),
            days=self.shelf.days,
            events=self._events(attention),
        )

    def _events(self, attention: NDArray[np.float32] | None) -> list[PastEvent]:
        """The events that the model looked at most, with their share of the attention."""
        if attention is None or not len(attention) or not self._past:
            return []
        events = self._past
        weights = np.maximum(attention.astype(np.float64), 0.0)[: len(events)]
        if len(weights) < len(events):  # the model reads the last T alone
            events = events[-len(weights) :]
        total = weights.sum()
        if not total > 0:
            return []
        shares = weights / total
        best = [place for place in np.argsort(-shares, kind="stable")[:EVENTS] if shares[place] > 0]
        return [events[place].model_copy(update={"weight": float(shares[place])}) for place in best]

    @cached_property
    def _past(self) -> list[PastEvent]:
        return past_events(self.state, self.shelf)

    @cached_property
    def _history(self) -> dict[str, tuple[int, int, int]]:
        history = self.state.history
        rows = zip(history.times, history.purchases, history.last_us, strict=True)
        return dict(zip(history.items, rows, strict=True))

    @cached_property
    def _categories(self) -> set[str]:
        return set(strongest_categories(self.state)[:CATEGORIES]) & self._last_of_category.keys()

    @cached_property
    def _last_of_category(self) -> dict[str, int]:
        """When each category was last chosen, as far back as history and sequence go."""
        last: dict[str, int] = {}
        for item, (_, _, last_us) in self._history.items():
            category = self.shelf.category(item)
            last[category] = max(last.get(category, 0), last_us)
        return last

    @cached_property
    def _shares(self) -> dict[str, float]:
        state = self.state
        strengths = state.interest.at(state.moment_us, state.half_life_days)[:, len(state.half_life_days) // 2]
        total = strengths.sum()
        return dict(zip(state.interest.categories, (strengths / total).tolist(), strict=True)) if total > 0 else {}


def past_events(state: UserState, shelf: Shelf) -> list[PastEvent]:
    """The sequence, oldest first."""
    sequence = state.sequence
    rows = zip(sequence.items, sequence.categories, sequence.types, sequence.times_us, strict=True)
    return [
        PastEvent(
            item_id=item, title=shelf.title(item), category=category or None, event_type=kind, occurred_at=moment_of(at)
        )
        for item, category, kind, at in rows
    ]


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def _ago(elapsed_us: int) -> str:
    days = max(0, elapsed_us) // DAY_US
    return {0: "within a day", 1: "a day ago"}.get(days, f"{days} days ago")
