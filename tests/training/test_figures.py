"""Figures, leaderboards, calibration and pictures."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from features.advance import advance
from features.decay import DAY_US
from features.state import Interest, ItemHistory, Live, Sequence, UserState
from infra.evaluations import EVALUATION
from training.calibration import calibration
from training.figures import Figures, figures
from training.leaderboard import to_json, to_markdown
from training.plots import calibration_plot, interest_curve, interest_plot, learning_curves
from training.provenance import PACKAGES, UNKNOWN_COMMIT, git_commit, package_versions
from training.slices import slice_of


def measured(best: float, moments: int = 30) -> Figures:
    ranks = [np.array([best]), np.array([best + 3, math.inf])] * (moments // 2)
    users = [f"u{place % 7}" for place in range(len(ranks))]
    kinds = ["new" if place < 4 else "heavy" for place in range(len(ranks))]
    return figures(ranks, [f"m{place}" for place in range(len(ranks))], users, kinds, {"coverage_10": 0.25})


def state(items: int = 0, sequence: Sequence | None = None, moment_us: int = 0) -> UserState:
    history = ItemHistory(*(tuple([value] * items) for value in ("i", 1, 1, 0)))
    return UserState(
        "u1", moment_us, (), (30,), sequence or Sequence(), Interest((), np.zeros((0, 1)), 0), history, {}, {}
    )


def test_figures_say_what_was_measured_and_how_sure_it_is() -> None:
    found = measured(1.0)

    assert (found.moments, found.users, found.sizes) == (30, 7, {"new": 4, "heavy": 26})
    assert found.table.schema == EVALUATION
    assert_allclose(found.metrics["hit_5"].value, 1.0)
    assert_allclose(np.mean(found.table["ndcg_10"].to_numpy()), found.metrics["ndcg_10"].value)
    assert found.metrics["ndcg_10"].low < found.metrics["ndcg_10"].value < found.metrics["ndcg_10"].high


def test_numbers_for_mlflow_have_bounds_and_kinds_of_users() -> None:
    numbers = measured(1.0).flat("fresh_")

    assert {"fresh_ndcg_10", "fresh_ndcg_10_low", "fresh_ndcg_10_high", "fresh_mrr", "fresh_coverage_10"} <= set(
        numbers
    )
    assert {"fresh_ndcg_10_new", "fresh_recall_10_heavy_low"} <= set(numbers)
    assert "fresh_ndcg_10_light" not in numbers
    assert all(math.isfinite(value) for value in numbers.values())


def test_nothing_measured_gives_no_figures_and_an_empty_table() -> None:
    found = figures([], [], [], [], {})

    assert (found.metrics, found.slices, found.moments, found.table.num_rows) == ({}, {}, 0, 0)
    json.dumps(found.to_json())


def test_a_leaderboard_shows_the_best_first() -> None:
    board = {"worse": measured(5.0), "better": measured(1.0)}

    text = to_markdown(board, "validation")

    assert text.index("| better |") < text.index("| worse |")
    assert "30 moments of 7 users" in text
    assert "| model | new (4) | heavy (26) |" in text
    assert [one["name"] for one in json.loads(json.dumps(to_json(board, "validation")))["models"]] == [
        "better",
        "worse",
    ]


@pytest.mark.parametrize(("items", "kind"), [(0, "new"), (1, "light"), (49, "light"), (50, "heavy")])
def test_users_are_told_apart_by_the_items_they_know(items: int, kind: str) -> None:
    assert slice_of(state(items)) == kind


def test_scores_that_are_the_truth_are_calibrated_and_sharpened_ones_are_not() -> None:
    random = np.random.default_rng(3)
    scores = random.normal(size=(900, 40)).astype(np.float32)
    shares = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    targets = [np.array([random.choice(40, p=row / row.sum()) + 2]) for row in shares.astype(np.float64)]

    honest, boastful = calibration(scores, targets), calibration(3 * scores, targets)

    assert honest.error < 0.15
    assert boastful.error > 0.4
    assert (np.diff(honest.predicted) > 0).all()


def test_a_share_that_went_to_unknown_items_is_not_counted_as_found() -> None:
    found = calibration(np.zeros((4, 2), dtype=np.float32), [np.array([1, 1])] * 4)

    assert found.observed.sum() == 0
    assert_allclose(found.error, 1.0)


def test_interest_rises_with_an_event_and_halves_after_a_half_life() -> None:
    empty = state()
    bought = Live("a", "lamps", "purchase", 10 * DAY_US)
    states = [
        advance(empty, events, moment, sequence_length=9, history_items=9, session_minutes=30)
        for events, moment in (([], 10 * DAY_US), ([bought], 40 * DAY_US))
    ]

    days, strengths = interest_curve(states, 30)

    assert_allclose([days[0], days[-1]], [-30, 0])
    lamps = strengths["lamps"]
    assert lamps[0] == 0
    assert_allclose([lamps.max(), lamps[-1]], [4.0, 2.0], rtol=1e-6)
    assert (np.diff(lamps[days > -30]) < 0).all()


def test_pictures_can_be_drawn_even_of_little() -> None:
    epoch = {"loss": 2.0, "ranking_loss": 1.5, "auxiliary_loss": 0.5, "validation_ndcg_10": 0.2, "seconds": 1.0}
    sequence = Sequence(("a",), ("lamps",), ("purchase",), (0,), (0,))
    pictures = [
        learning_curves([epoch], 1),
        calibration_plot(calibration(np.zeros((4, 2), dtype=np.float32), [np.array([2])] * 4)),
        interest_plot([state(1, sequence, DAY_US)], 30),
    ]
    for picture in pictures:
        drawn = io.BytesIO()
        picture.savefig(drawn, format="png")
        assert drawn.getvalue().startswith(b"\x89PNG")


def test_the_commit_is_known_in_a_work_tree_and_unknown_elsewhere(tmp_path: Path) -> None:
    assert git_commit(tmp_path) == UNKNOWN_COMMIT
    assert set(package_versions()) == set(PACKAGES)
