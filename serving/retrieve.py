"""Candidates for one user: a few hundred items worth ranking. Deterministic."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice

import numpy as np

from features.decay import carry
from features.state import UserState
from serving.shelf import Shelf

#: How many of the user's strongest categories are looked into.
CATEGORIES = 10


def candidates(state: UserState, shelf: Shelf, size: int) -> list[str]:
    """At most ``size`` items of the shelf, each once.

    Half of the places are for the user's own items, a quarter for popular items of the user's
    strongest categories, in turn; what is popular overall fills the rest.
    """
    chosen: dict[str, None] = {}
    _take(chosen, (item for item in own_items(state) if item in shelf.items), size // 2)
    _take(chosen, _in_turn(_of_categories(state, shelf)), len(chosen) + size // 4)
    _take(chosen, shelf.popular, size)
    return list(chosen)


def own_items(state: UserState) -> list[str]:
    """The user's items: those wanted often and lately first.

    Each item's interactions are faded by the age of the last one, with the longest half-life.
    """
    history = state.history
    ages = state.moment_us - np.asarray(history.last_us, dtype=np.int64)
    strength = carry(history.times, ages, max(state.half_life_days))
    order = sorted(range(len(history.items)), key=lambda place: (-strength[place], history.items[place]))
    return [history.items[place] for place in order]


def strongest_categories(state: UserState) -> list[str]:
    """Categories by interest at the middle half-life, the strongest first; the nameless one is left out."""
    strengths = state.interest.at(state.moment_us, state.half_life_days)
    middle = strengths[:, len(state.half_life_days) // 2]
    named = [place for place, name in enumerate(state.interest.categories) if name]
    order = sorted(named, key=lambda place: (-middle[place], state.interest.categories[place]))
    return [state.interest.categories[place] for place in order]


def _of_categories(state: UserState, shelf: Shelf) -> list[Sequence[str]]:
    return [shelf.by_category.get(name, ()) for name in strongest_categories(state)[:CATEGORIES]]


def _in_turn(lists: list[Sequence[str]]) -> Iterator[str]:
    """The first of each list, then the second of each."""
    longest = max(map(len, lists), default=0)
    return chain.from_iterable((items[place] for items in lists if place < len(items)) for place in range(longest))


def _take(chosen: dict[str, None], items: Iterable[str], until: int) -> None:
    """Add new items until ``chosen`` holds so many."""
    fresh = (item for item in dict.fromkeys(items) if item not in chosen)
    chosen |= dict.fromkeys(islice(fresh, max(0, until - len(chosen))))
