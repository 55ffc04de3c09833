"""Losses on cases worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

pytestmark = pytest.mark.model


def test_auxiliary_counts_steps_with_a_next_event() -> None:
    """Two events: one step. -(log sigmoid(0) + log sigmoid(-ln 3)) = ln 2 + ln 4 = ln 8."""
    from training.losses import auxiliary

    mask = np.array([[True, True, False], [True, False, False]])
    positive = np.array([[0.0, 50.0], [50.0, 50.0]], np.float32)
    negative = np.array([[np.log(3.0), 50.0], [50.0, 50.0]], np.float32)
    assert float(auxiliary(positive, negative, mask)) == pytest.approx(np.log(8.0), rel=1e-6)


def test_auxiliary_finds_steps_wherever_padding_stands() -> None:
    from training.losses import auxiliary

    rng = np.random.default_rng(0)
    logits = rng.normal(size=(2, 1, 4)).astype(np.float32)
    padding = np.full((1, 2), 9.0, np.float32)
    behind = [np.concatenate([part, padding], axis=1) for part in logits]
    before = [np.concatenate([padding, part], axis=1) for part in logits]
    events = np.ones((1, 5), bool)
    none = np.zeros((1, 2), bool)
    expected = float(auxiliary(*logits, events))
    assert float(auxiliary(*behind, np.concatenate([events, none], axis=1))) == pytest.approx(expected)
    assert float(auxiliary(*before, np.concatenate([none, events], axis=1))) == pytest.approx(expected)


def test_nobody_with_a_next_event_costs_nothing() -> None:
    from training.losses import auxiliary

    assert float(auxiliary(np.ones((1, 1), np.float32), np.ones((1, 1), np.float32), np.array([[True, False]]))) == 0.0


def test_sampled_softmax_by_hand() -> None:
    """One positive at 0, one negative at 0 that stands for three: -log(1 / (1 + 3)) = ln 4."""
    from training.losses import sampled_softmax

    scores = np.zeros((1, 3), np.float32)
    positive = np.array([[1.0, 0.0, 0.0]], np.float32)
    weight = np.array([[-1e9, np.log(3.0), -1e9]], np.float32)
    assert float(sampled_softmax(scores, positive, weight)) == pytest.approx(np.log(4.0), rel=1e-6)


def test_a_group_counts_once_however_many_positives() -> None:
    from training.losses import sampled_softmax

    scores = np.array([[0.0, 0.0, 0.0], [0.0, 5.0, 0.0]], np.float32)
    positive = np.array([[1.0, 1.0, 0.0], [1.0, 0.0, 0.0]], np.float32)
    weight = np.array([[-1e9, -1e9, 0.0], [-1e9, -1e9, 0.0]], np.float32)
    assert float(sampled_softmax(scores, positive, weight)) == pytest.approx(np.log(2.0), rel=1e-6)


def test_a_group_without_a_positive_does_not_count() -> None:
    from training.losses import sampled_softmax

    scores = np.zeros((2, 2), np.float32)
    positive = np.array([[1.0, 0.0], [0.0, 0.0]], np.float32)
    weight = np.array([[-1e9, 0.0], [0.0, 0.0]], np.float32)
    assert float(sampled_softmax(scores, positive, weight)) == pytest.approx(np.log(2.0), rel=1e-6)


def test_the_whole_catalogue_gives_the_full_softmax() -> None:
    from training.losses import sampled_softmax

    scores = np.random.default_rng(1).normal(size=(1, 6)).astype(np.float32)
    positive = np.eye(1, 6, dtype=np.float32)
    weight = np.where(positive > 0, -1e9, 0.0).astype(np.float32)
    expected = np.log(np.exp(scores[0]).sum()) - scores[0, 0]
    assert float(sampled_softmax(scores, positive, weight)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("power", "mean"), [(0.0, np.sqrt(0.5 * 0.2)), (0.5, ((0.5**0.5 + 0.2**0.5) / 2) ** 2), (1.0, 0.35)]
)
def test_a_group_counts_by_the_power_mean_of_its_probabilities(power: float, mean: float) -> None:
    """Positives of probability 1/2 and 1/5: geometric mean, in between, arithmetic mean; padding counts nowhere."""
    from training.losses import sampled_softmax

    scores = np.array([[0.0, -np.log(4.0), 0.0, 9.0]], np.float32)
    positive = np.array([[1.0, 1.0, 0.0, 0.0]], np.float32)
    weight = np.array([[-1e9, -1e9, 0.0, -1e9]], np.float32)
    assert float(sampled_softmax(scores, positive, weight, power)) == pytest.approx(-np.log(mean), rel=1e-5)


def test_power_keeps_groups_without_a_positive_out() -> None:
    from training.losses import sampled_softmax

    scores = np.zeros((2, 2), np.float32)
    positive = np.array([[1.0, 0.0], [0.0, 0.0]], np.float32)
    weight = np.array([[-1e9, 0.0], [0.0, 0.0]], np.float32)
    assert float(sampled_softmax(scores, positive, weight, 0.5)) == pytest.approx(np.log(2.0), rel=1e-5)
