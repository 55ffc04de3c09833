from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from features.bundle import ITEM_TABLE
from features.decay import DAY_US
from features.state import Interest, ItemHistory, Sequence, UserState
from serving.retrieve import candidates, own_items, strongest_categories
from serving.shelf import Shelf

HALF_LIVES = (7, 30, 90)
WINDOWS = (1, 7, 30)
NOW = 100 * DAY_US
NUMBERS = st.integers(0, 99)


def shelf(sizes):
    """``sizes`` items a category; the popularity of an item is its number."""
    rows = [
        {"item_id": f"{category}{number:04d}", "title": None, "category": category, "price": None}
        for category, size in sizes.items()
        for number in range(size)
    ]
    items = [row["item_id"] for row in rows]
    counts = [int(item[-4:]) for item in items]
    columns = {f"item_interaction_users_{days}d": counts for days in WINDOWS}
    return Shelf.of(pa.Table.from_pylist(rows, schema=ITEM_TABLE), (items, columns), WINDOWS)


def state(history=(), strengths=()):
    """``history``: (item, times, days ago); ``strengths``: (category, strength)."""
    items, times, ages = zip(*history, strict=True) if history else ((), (), ())
    names, values = zip(*strengths, strict=True) if strengths else ((), ())
    return UserState(
        "u",
        NOW,
        WINDOWS,
        HALF_LIVES,
        Sequence(),
        Interest(tuple(names), np.repeat(np.array(values, float)[:, None], 3, axis=1).reshape(-1, 3), NOW),
        ItemHistory(tuple(items), tuple(times), tuple(0 for _ in items), tuple(NOW - age * DAY_US for age in ages)),
        {},
        {},
    )


def test_own_items_often_and_lately_first():
    assert own_items(state([("a", 1, 0), ("b", 4, 90), ("c", 4, 0), ("d", 1, 0)])) == ["c", "b", "a", "d"]


def test_strongest_categories_leave_the_nameless_out():
    assert strongest_categories(state(strengths=[("", 9.0), ("a", 1.0), ("b", 2.0), ("c", 1.0)])) == ["b", "a", "c"]


def test_own_items_then_categories_in_turn_then_popular():
    chosen = candidates(state([("x0003", 1, 1)], [("x", 2.0), ("y", 1.0)]), shelf({"x": 4, "y": 4, "z": 9}), 8)
    # a quarter of eight: two from categories, the most popular of the strongest that is new, then the next one's
    assert chosen == ["x0003", "y0003", "x0002", "z0008", "z0007", "z0006", "z0005", "z0004"]


def test_nobody_gets_the_popular_ones():
    assert candidates(state(), shelf({"x": 3}), 100) == ["x0002", "x0001", "x0000"]


@given(
    history=st.lists(st.tuples(NUMBERS, st.integers(1, 50), NUMBERS), unique_by=lambda row: row[0]),
    size=st.integers(1, 80),
)
def test_candidates_are_few_known_and_unique(history, size):
    known = shelf({"x": 40, "y": 30})
    rows = [(f"x{number:04d}", times, age) for number, times, age in history]
    chosen = candidates(state(rows, [("x", 1.0), ("q", 2.0)]), known, size)
    assert len(chosen) == len(set(chosen)) == min(size, 70)
    assert set(chosen) <= set(known.items)
    assert chosen == candidates(state(rows, [("x", 1.0), ("q", 2.0)]), known, size)
