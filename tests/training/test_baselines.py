"""Baselines on cases worked by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from features.advance import advance
from features.decay import DAY_US
from features.inputs import encode, stat_columns, stats_table
from features.state import Live, UserState, from_row
from features.vocabulary import Vocabulary
from training import baselines

pytestmark = pytest.mark.model

WINDOWS, HALF_LIVES = (1, 7, 30), (7, 30, 90)
WORDS = Vocabulary.of({"a": "x", "b": "x", "c": "y", "d": "y", "e": "z"})
BUYERS = {"a": 1, "b": 5, "c": 2, "d": 9, "e": 3}


def order(model: Any, state: UserState) -> str:
    """All items, the best first."""
    columns = {name: [BUYERS[item] for item in WORDS.items] for name in stat_columns(WINDOWS)}
    table = stats_table(list(WORDS.items), columns, WORDS, WINDOWS)
    inputs = encode([state], WORDS.all_items[None], [table], WORDS, 4)
    answer = {name: values.numpy() for name, values in model(inputs).items()}
    assert answer["score"].shape == (1, 5)
    assert answer["attention"].shape == (1, 5, 4)
    assert not answer["attention"].any()
    return "".join(WORDS.items[place] for place in np.argsort(-answer["score"][0]))


def state(*bought: tuple[str, int]) -> UserState:
    """A user who bought (item, day), asked on day 100."""
    empty = from_row("u", {}, WINDOWS, HALF_LIVES)
    kinds = dict(zip(WORDS.items, WORDS.item_categories, strict=True))
    events = [Live(item, kinds[item], "purchase", day * DAY_US) for item, day in bought]
    return advance(empty, events, 100 * DAY_US, sequence_length=10, history_items=10, session_minutes=30)


def test_popular_ranks_by_the_training_days() -> None:
    assert order(baselines.popular(np.array([9, 8, 1, 2, 3, 4, 5], np.float32)), state(("a", 1))) == "edcba"


def test_recent_popular_ranks_by_the_window() -> None:
    assert order(baselines.recent_popular(WINDOWS, 7), state(("a", 1))) == "dbeca"


def test_buy_again_ranks_by_count_then_recency_then_popularity() -> None:
    model = baselines.buy_again(WINDOWS, HALF_LIVES, days=7, half_life=365.0)
    assert order(model, state(("a", 1), ("a", 2), ("c", 3), ("e", 3))) == "aecdb"
    assert order(model, state(("c", 50), ("a", 10))) == "cadbe"
    assert order(model, state()) == "dbeca"


def test_buy_again_fades_with_a_short_half_life() -> None:
    """Two purchases 90 days ago against one yesterday: 3 * 2^(-9) < 2 * 2^(-0.1)."""
    model = baselines.buy_again(WINDOWS, HALF_LIVES, days=7, half_life=10.0)
    assert order(model, state(("a", 9), ("a", 10), ("c", 99))) == "cadbe"


def test_buy_again_weighs_popularity_if_told_to() -> None:
    model = baselines.buy_again(WINDOWS, HALF_LIVES, days=7, half_life=365.0, popularity=1.0)
    assert order(model, state(("a", 1), ("d", 1))) == "dabec"
    plain = baselines.buy_again(WINDOWS, HALF_LIVES, days=7, half_life=365.0)
    assert order(plain, state(("a", 1), ("a", 2), ("d", 1))) == "adbec"
    assert order(model, state(("a", 1), ("a", 2), ("d", 1))) == "dabec"


def test_last_category_comes_first() -> None:
    model = baselines.last_category(WINDOWS, HALF_LIVES, 7)
    assert order(model, state(("a", 50), ("c", 60))) == "dcbea"
    assert order(model, state()) == "dbeca"
