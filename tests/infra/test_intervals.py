"""Bootstrap intervals over users."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from infra.intervals import mean_interval, mean_intervals


def test_the_interval_of_independent_moments_is_the_textbooks() -> None:
    values = np.random.default_rng(1).normal(0.3, 0.2, 900)

    found = mean_interval(values, np.arange(900))

    half = 1.96 * values.std() / 30
    assert_allclose([found.low, found.high], [values.mean() - half, values.mean() + half], atol=0.001)


def test_moments_of_one_user_are_not_independent() -> None:
    """A hundred users, each with nine equal moments: as sure as of a hundred moments, not nine hundred."""
    by_user = np.random.default_rng(2).normal(0.3, 0.2, 100)
    repeated, users = np.repeat(by_user, 9), np.repeat(np.arange(100), 9)

    clustered, naive = mean_interval(repeated, users), mean_interval(repeated, np.arange(900))

    assert_allclose(clustered.high - clustered.low, 3 * (naive.high - naive.low), rtol=0.15)


def test_it_covers_the_truth_as_often_as_it_says() -> None:
    random = np.random.default_rng(3)
    covered = 0
    for _ in range(300):
        users = random.integers(0, 60, 200)
        values = random.normal(0, 1, 60)[users] + random.normal(0, 1, 200)
        found = mean_interval(values, users, resamples=400)
        covered += found.low <= 0 <= found.high

    assert 0.90 <= covered / 300 <= 0.98


def test_the_order_of_moments_does_not_matter() -> None:
    random = np.random.default_rng(4)
    values, users = random.random(50), np.array([f"u{number}" for number in random.integers(0, 20, 50)])
    order = random.permutation(50)

    found, other = mean_interval(values, users), mean_interval(values[order], users[order])

    assert_allclose([*vars(found).values()], [*vars(other).values()])


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_the_paired_bootstrap_is_symmetric(seed: int) -> None:
    random = np.random.default_rng(seed)
    ours, theirs, users = random.random(40), random.random(40), random.integers(0, 25, 40)

    there, back = mean_interval(ours - theirs, users), mean_interval(theirs - ours, users)

    assert_allclose([there.value, there.low, there.high], [-back.value, -back.high, -back.low], atol=1e-12)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_bounds_lie_among_the_values(values: list[float]) -> None:
    found = mean_interval(values, np.arange(len(values)))

    assert min(values) - 1e-9 <= found.low <= found.value + 1e-9
    assert found.value - 1e-9 <= found.high <= max(values) + 1e-9


def test_names_share_their_draws() -> None:
    values, users = np.random.default_rng(5).random(30), np.arange(30) // 2

    both = mean_intervals({"a": values, "b": values + 1}, users)

    assert_allclose([both["b"].low, both["b"].high], [both["a"].low + 1, both["a"].high + 1])


@pytest.mark.parametrize("users", [[], [1, 2]])
def test_nothing_to_measure_is_an_error(users: list[int]) -> None:
    with pytest.raises(ValueError, match="moments"):
        mean_interval([], users)
