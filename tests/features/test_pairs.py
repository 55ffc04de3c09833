"""What a user did with a candidate, worked by hand; and what of it goes to the models as the history."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from features.decay import DAY_US
from features.inputs import HISTORY_ITEM, HISTORY_LENGTH, HISTORY_PURCHASES, encode, stat_columns
from features.pairs import ITEM_COLUMNS, past_of
from features.state import Interest, ItemHistory, Sequence, UserState, from_row
from features.vocabulary import Vocabulary

NOW = 100 * DAY_US
VOCABULARY = Vocabulary.of({"mug": "kitchen", "lamp": "light", "clock": "wall"})


@pytest.fixture
def state() -> UserState:
    """A mug 2 days ago and 10 days before that; a lamp only then; something that is not sold any more."""
    empty = replace(from_row("anna", {}, (), (30,)), moment_us=NOW)
    history = ItemHistory(
        items=("mug", "lamp", "gone"),
        times=(3, 1, 1),
        purchases=(2, 0, 1),
        last_us=(NOW - 2 * DAY_US, NOW - 12 * DAY_US, NOW - 12 * DAY_US),
    )
    events = (NOW - 12 * DAY_US, NOW - 2 * DAY_US)
    sequence = Sequence(("lamp", "mug"), ("light", "kitchen"), ("view", "purchase"), events, dwell_ms=(0, 0))
    return replace(empty, history=history, sequence=sequence)


def column(state: UserState, name: str) -> list[float]:
    return past_of(state, VOCABULARY).item_values[:, ITEM_COLUMNS.index(name)].tolist()


@pytest.mark.parametrize(
    ("name", "mug", "lamp"),
    [
        ("seen", 1, 1),
        ("times", np.log1p(3), np.log1p(1)),
        ("purchases", np.log1p(2), 0),
        ("age", np.log1p(2), np.log1p(12)),
        ("behind", 0, np.log1p(10)),
        ("in_last_visit", 1, 0),
        ("purchases_per_visit", 1, 0),
        ("times_lately", np.log1p(1), np.log1p(1)),
        ("age_in_visits", np.log1p(2 / 10), np.log1p(12 / 10)),  # two visits ten days apart
    ],
)
def test_columns_of_an_item(state: UserState, name: str, mug: float, lamp: float) -> None:
    assert column(state, name) == pytest.approx([mug, lamp])


def test_the_history_goes_in_latest_first_without_what_the_model_does_not_know(state: UserState) -> None:
    stats = np.zeros((VOCABULARY.item_rows, len(stat_columns((1,)))), np.float32)
    inputs = encode([state], VOCABULARY.all_items[None, :], [stats], VOCABULARY, 5)
    assert inputs[HISTORY_ITEM].shape == inputs[HISTORY_PURCHASES].shape == (1, HISTORY_LENGTH)
    assert inputs[HISTORY_ITEM][0, :3].tolist() == [*VOCABULARY.encode_items(["mug", "lamp"]), 0]
    assert inputs[HISTORY_PURCHASES][0, :3] == pytest.approx([np.log1p(2), 0, 0])


def test_strengths_that_have_faded_away_have_no_shares() -> None:
    """By a half-life of a day, 1,100 days later; the ranker's shares of them are zero as well."""
    wanted = Interest(("kitchen", "light"), np.array([[2.0, 2.0], [6.0, 6.0]]), 0)
    assert wanted.profile(0) == (("light", "kitchen"), (0.75, 0.25))
    late = replace(wanted, strengths=wanted.at(1_100 * DAY_US, (1, 1_100)), as_of_us=1_100 * DAY_US)
    assert late.profile(0) == (("kitchen", "light"), (0.0, 0.0))
    assert late.profile(1) == (("light", "kitchen"), (0.75, 0.25))
