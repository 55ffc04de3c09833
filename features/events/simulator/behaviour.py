"""What happens in visits: items are shown, looked at, put into the cart, bought, reviewed, sent back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from features.events.schema import EVENT_TYPES
from features.events.simulator.shop import FURTHER_IMPRESSIONS, RATES, SEARCH_RATE, Floats, Ints, Shop, Truth
from features.events.simulator.visits import Visits

Flags = NDArray[np.bool_]

_SECOND: Final = 1 / 86_400
#: Days between a behaviour and the one before it: at least, and more on average.
_AFTER: Final = {
    "view": (1 * _SECOND, 3 * _SECOND),
    "favorite": (5 * _SECOND, 10 * _SECOND),
    "cart": (5 * _SECOND, 20 * _SECOND),
    "purchase": (60 * _SECOND, 120 * _SECOND),
    "review": (2.0, 3.0),
    "return": (2.0, 7.0),
}
_IMPRESSION_EVERY: Final = 20 * _SECOND
_LOGIN_AFTER: Final = 30 * _SECOND
_DWELL_MEDIAN_MS: Final = 20_000
_DWELL_AT_MOST_MS: Final = 1_800_000


@dataclass(frozen=True)
class Happened:
    """Events in no order; all of one length.

    Attributes:
        visit: place of the visit.
        item: number of the item, -1: none.
        kind: place in ``EVENT_TYPES``.
        at: days since the shop's first day.
        dwell_ms: 0: unknown.
    """

    visit: Ints
    item: Ints
    kind: Ints
    at: Floats
    dwell_ms: Ints

    def __len__(self) -> int:
        return len(self.visit)

    def where(self, chosen: Flags | Ints) -> Happened:
        columns = {name: column[chosen] for name, column in vars(self).items()}
        return Happened(**columns)


def draw_behaviour(shop: Shop, truth: Truth, visits: Visits, draw: np.random.Generator) -> Happened:
    """All events of ``visits`` that lie in the shop's days."""
    by_kind = {"impression": _shown(truth, visits, draw)}
    for kind, (after, rate) in RATES.items():
        by_kind[kind] = _followed(by_kind[after], kind, rate, draw)
    by_kind["view"] = replace(by_kind["view"], dwell_ms=_dwell(len(by_kind["view"]), draw))
    parts = [*by_kind.values(), *_without_item(shop, visits, draw)]
    happened = Happened(*(np.concatenate([vars(part)[name] for part in parts]) for name in vars(parts[0])))
    return happened.where(happened.at < shop.days)


def _shown(truth: Truth, visits: Visits, draw: np.random.Generator) -> Happened:
    """Impressions: items of the visit's category that are there by then, the heavier ones more often."""
    counts = 1 + draw.poisson(FURTHER_IMPRESSIONS, len(visits))
    of_visit = np.repeat(np.arange(len(visits)), counts)
    place = np.arange(len(of_visit)) - np.repeat(np.cumsum(counts) - counts, counts)
    at = visits.at[of_visit] + (place + draw.random(len(of_visit)) / 2) * _IMPRESSION_EVERY
    item = _items(truth, visits.category[of_visit], at, draw)
    return Happened(of_visit, item, _kinds("impression", len(item)), at, np.zeros(len(item), dtype=np.int64))


def _items(truth: Truth, category: Ints, at: Floats, draw: np.random.Generator) -> Ints:
    """An item for each category and moment: of those launched by then, in proportion to their weights."""
    # by category, then launch, so that the items of a category that are there are one piece of this order
    order = np.lexsort((truth.launch_of_item, truth.category_of_item))
    weights = np.cumsum(truth.weight_of_item[order])
    launched = truth.launch_of_item[order]
    bounds = np.searchsorted(truth.category_of_item[order], np.arange(len(truth.prior) + 1))
    above = np.concatenate([[0.0], weights])
    chosen = np.empty(len(category), dtype=np.int64)
    for number, (low, high) in enumerate(pairwise(bounds)):
        rows = np.flatnonzero(category == number)
        there = low + np.searchsorted(launched[low:high], at[rows], side="right")
        drawn = draw.uniform(above[low], above[there])
        chosen[rows] = order[np.clip(np.searchsorted(weights, drawn, side="right"), low, there - 1)]
    return chosen


def _followed(before: Happened, kind: str, rate: float, draw: np.random.Generator) -> Happened:
    """Some of the events before, once more as ``kind`` and later."""
    found = before.where(draw.random(len(before)) < rate)
    least, more = _AFTER[kind]
    later = found.at + least + draw.exponential(more, len(found))
    return replace(found, kind=_kinds(kind, len(found)), at=later, dwell_ms=np.zeros(len(found), dtype=np.int64))


def _dwell(count: int, draw: np.random.Generator) -> Ints:
    drawn = draw.lognormal(np.log(_DWELL_MEDIAN_MS), 1.0, count)
    return np.minimum(np.maximum(drawn, 1), _DWELL_AT_MOST_MS).astype(np.int64)


def _without_item(shop: Shop, visits: Visits, draw: np.random.Generator) -> list[Happened]:
    searches = np.flatnonzero(draw.random(len(visits)) < SEARCH_RATE)
    logins = np.flatnonzero(draw.random(len(visits)) < shop.logins)
    begun = {"search": (searches, visits.at[searches]), "login": (logins, visits.at[logins] + _LOGIN_AFTER)}
    return [
        Happened(at=at, visit=of, item=np.full(len(of), -1), kind=_kinds(kind, len(of)), dwell_ms=np.zeros_like(of))
        for kind, (of, at) in begun.items()
    ]


def _kinds(kind: str, count: int) -> Ints:
    return np.full(count, EVENT_TYPES.index(kind))
