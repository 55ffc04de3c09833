"""What one user's past says about a candidate item: the columns of ``candidate_user``.

All of it comes from a ``UserState``, so that training and answering cannot differ. A visit is a
shop-independent notion here: interactions whose last moments lie less than half a day apart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence as Many
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from features.decay import DAY_US
from features.rhythm import VISIT_US
from features.state import UserState
from features.vocabulary import FIRST, Indices, Vocabulary

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

#: By item: interactions, purchases, days since the last one, days from it to the user's last
#: interaction with anything, whether it was in the last visit, purchases per visit, events in the
#: kept sequence, and its age measured in the user's days per visit.
ITEM_COLUMNS: Final = (
    "seen",
    "times",
    "purchases",
    "age",
    "behind",
    "in_last_visit",
    "purchases_per_visit",
    "times_lately",
    "age_in_visits",
)
#: By category: items known, purchases, days since the last one, whether it is the last event's.
CATEGORY_COLUMNS: Final = ("category_items", "category_purchases", "category_age", "is_last_category")
#: About the user: items known, visits, days since the last interaction, days per visit.
HABIT_COLUMNS: Final = ("known_items", "visits", "idle", "days_per_visit")


def pair_columns(half_life_days: Many[int]) -> tuple[str, ...]:
    """Names of ``candidate_user``, in order; counts and days are ``log1p``."""
    shares = tuple(f"category_share_{days}d" for days in half_life_days)
    return (*ITEM_COLUMNS, *CATEGORY_COLUMNS, *shares)


@dataclass(frozen=True)
class Past:
    """One user's past by item and category index; what is not listed is zero.

    Attributes:
        items, item_values: latest first, shapes (n,) and (n, ``ITEM_COLUMNS``).
        categories, category_values: shapes (m,) and (m, ``CATEGORY_COLUMNS`` and shares).
        habits: shape (``HABIT_COLUMNS``,).
    """

    items: Indices
    item_values: Floats
    categories: Indices
    category_values: Floats
    habits: Floats


def past_of(state: UserState, vocabulary: Vocabulary) -> Past:
    """The past that ``state`` holds, in the ids of ``vocabulary``; unknown ids only count as habits."""
    history = state.history
    last = np.array(history.last_us, dtype=np.int64)
    purchases = np.array(history.purchases, dtype=np.int64)
    items = vocabulary.encode_items(history.items)
    visits = max(_visits(last), int(purchases.max(initial=0)))
    latest = int(last.max(initial=0))
    habits, days_per_visit = _habits(state, last, visits)
    lately = Counter(state.sequence.items)
    days = np.maximum(state.moment_us - last, 0) / DAY_US
    values = {
        "seen": np.ones(len(items)),
        "times": np.log1p(np.array(history.times, dtype=np.float64)),
        "purchases": np.log1p(purchases),
        "age": np.log1p(days),
        "behind": days_between(latest, last),
        "in_last_visit": latest - last < VISIT_US,
        "purchases_per_visit": purchases / max(visits, 1),
        "times_lately": np.log1p([lately[item] for item in history.items]),
        "age_in_visits": np.log1p(days / max(days_per_visit, 1.0)),
    }
    columns = np.stack([values[name] for name in ITEM_COLUMNS], axis=1).astype(np.float32)
    known = items >= FIRST
    categories, by_category = _categories(state, vocabulary, items[known], purchases[known], last[known])
    return Past(items[known], columns[known], categories, by_category, habits)


def pairs(pasts: Many[Past], candidates: Indices, vocabulary: Vocabulary) -> Floats:
    """``candidate_user`` of B pasts and their candidates (B, K): shape (B, K, P)."""
    width = pasts[0].category_values.shape[1] if pasts else 0
    by_item = np.zeros((vocabulary.item_rows, len(ITEM_COLUMNS)), dtype=np.float32)
    by_category = np.zeros((vocabulary.category_rows, width), dtype=np.float32)
    categories = vocabulary.category_of_item[candidates]
    result = np.empty((*candidates.shape, len(ITEM_COLUMNS) + width), dtype=np.float32)
    for row, past in enumerate(pasts):
        by_item[past.items] = past.item_values
        by_category[past.categories] = past.category_values
        result[row, :, : len(ITEM_COLUMNS)] = by_item[candidates[row]]
        result[row, :, len(ITEM_COLUMNS) :] = by_category[categories[row]]
        by_item[past.items] = 0.0
        by_category[past.categories] = 0.0
    return result


def days_between(later_us: int | Ints, earlier_us: int | Ints) -> Floats:
    """``log1p`` of the days between two moments, never negative."""
    elapsed = np.maximum(np.asarray(later_us, dtype=np.float64) - np.asarray(earlier_us, dtype=np.float64), 0.0)
    return np.log1p(elapsed / DAY_US).astype(np.float32)


def _visits(last_us: Ints) -> int:
    """Visits that left a trace: groups of last moments less than half a day apart."""
    moments = np.sort(last_us)
    return int(len(moments) > 0) + int(np.count_nonzero(np.diff(moments) >= VISIT_US))


def _habits(state: UserState, last_us: Ints, visits: int) -> tuple[Floats, float]:
    """``HABIT_COLUMNS``, and the days per visit as they are."""
    if not len(last_us):
        return np.zeros(len(HABIT_COLUMNS), dtype=np.float32), 0.0
    latest = int(last_us.max())
    days_per_visit = (latest - int(last_us.min())) / DAY_US / max(visits - 1, 1)
    idle = max(state.moment_us - latest, 0) / DAY_US
    return np.log1p([len(last_us), visits, idle, days_per_visit]).astype(np.float32), days_per_visit


def _categories(
    state: UserState, vocabulary: Vocabulary, items: Indices, purchases: Ints, last_us: Ints
) -> tuple[Indices, Floats]:
    of_item = vocabulary.category_of_item[items]
    named = vocabulary.encode_categories(state.interest.categories)
    ends = vocabulary.encode_categories(state.sequence.categories[-1:])
    categories = np.unique(np.concatenate([of_item, named, ends]))
    categories = categories[categories >= FIRST].astype(np.int32)
    place = np.searchsorted(categories, of_item)
    values = np.zeros((len(categories), len(CATEGORY_COLUMNS) + len(state.half_life_days)), dtype=np.float32)
    latest = np.zeros(len(categories), dtype=np.int64)
    np.maximum.at(latest, place, last_us)
    counts = np.bincount(place, minlength=len(categories))
    values[:, 0] = np.log1p(counts)
    values[:, 1] = np.log1p(np.bincount(place, purchases, minlength=len(categories)))
    values[:, 2] = days_between(state.moment_us, latest) * (counts > 0)
    values[np.searchsorted(categories, ends[ends >= FIRST]), 3] = 1.0
    known = named >= FIRST
    np.add.at(values[:, 4:], np.searchsorted(categories, named[known]), _shares(state)[known])
    return categories, values


def _shares(state: UserState) -> NDArray[np.float64]:
    """Share of each category in the user's interest, shape (interest categories, half-lives)."""
    strengths = state.interest.at(state.moment_us, state.half_life_days)
    total = strengths.sum(axis=0)
    shares: NDArray[np.float64] = np.divide(strengths, total, out=np.zeros_like(strengths), where=total > 0)
    return shares
