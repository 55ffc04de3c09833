"""Groups hold what they say, and their weights undo the sampling."""

from __future__ import annotations

import numpy as np
import pytest

from features.vocabulary import FIRST, PADDING
from training.dataset import Dataset
from training.sampling import NEVER, GroupSettings, Sampler
from training.snapshot import Snapshot


@pytest.fixture(scope="module")
def dataset(snapshot: Snapshot) -> Dataset:
    return Dataset(snapshot)


SETTINGS = GroupSettings(positives=2, own=2, others=6)


def test_positives_are_the_baskets_and_negatives_are_not(dataset: Dataset) -> None:
    rows = dataset.rows("validation")
    group = Sampler(dataset, SETTINGS).groups(rows, np.random.default_rng(1))
    assert group.candidates.shape == (len(rows), 10)
    for row, items, positive, weight in zip(rows, group.candidates, group.positive, group.log_weight, strict=True):
        basket = set(dataset.targets[row])
        own = set(dataset.past(int(row)).items) - basket
        assert set(items[positive > 0]) <= basket
        assert positive.sum() == min(2, len(basket))
        counted = weight > NEVER
        assert not set(items[counted]) & basket
        assert set(items[2:4][counted[2:4]]) <= own
        assert not set(items[4:][counted[4:]]) & own
        assert PADDING not in items[counted]


def test_weighted_sums_are_sums_over_the_catalogue(dataset: Dataset) -> None:
    """The mean over many draws of the weighted sum equals the sum over all items outside the basket."""
    rng = np.random.default_rng(2)
    sampler = Sampler(dataset, SETTINGS)
    row = int(dataset.rows("validation")[-1])
    scores = rng.normal(size=dataset.vocabulary.item_rows)
    outside = np.setdiff1d(dataset.vocabulary.all_items, dataset.targets[row])
    expected = np.exp(scores[outside]).sum()
    drawn = sampler.groups(np.full(8000, row), rng)
    estimates = (np.exp(scores[drawn.candidates]) * np.exp(drawn.log_weight.astype(np.float64))).sum(axis=1)
    error = estimates.std() / np.sqrt(len(estimates))
    assert error < 0.02 * expected
    assert abs(estimates.mean() - expected) < 4 * error


def test_equal_seeds_draw_equal_groups(dataset: Dataset) -> None:
    sampler = Sampler(dataset, SETTINGS)
    first, again = (sampler.groups(dataset.rows("train")[:20], np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(first.candidates, again.candidates)
    np.testing.assert_array_equal(first.log_weight, again.log_weight)


def test_other_events_are_known_items(dataset: Dataset) -> None:
    rows = dataset.rows("train")[:4]
    inputs = dataset.encode(rows, dataset.vocabulary.all_items[None].repeat(4, axis=0))
    others = Sampler(dataset, SETTINGS).others(inputs, np.random.default_rng(4))
    assert others.shape == inputs["sequence_item"].shape
    assert others.min() >= FIRST
