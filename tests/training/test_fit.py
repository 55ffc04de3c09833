"""Fitting learns a planted habit, repeats itself, and says why it cannot."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from features.inputs import Inputs
from infra.errors import TrainingError
from infra.settings import load_settings
from training.dataset import Dataset
from training.sampling import GroupSettings
from training.score import score_all
from training.snapshot import Snapshot

if TYPE_CHECKING:  # they bring in TensorFlow, which collecting the fast tests need not wait for
    from training.fit import FitSettings, Fitted

pytestmark = pytest.mark.model

GROUPS = GroupSettings(positives=2, own=4, others=8)


def chosen(epochs: int = 5) -> FitSettings:
    from training.fit import FitSettings

    return FitSettings(epochs=epochs, batch=32, learning_rate=1e-2, groups=GROUPS)


def fit_small(dataset: Dataset, settings: FitSettings, on_epoch: Any = None) -> Fitted:
    from training.fit import fit
    from training.models.dien import DienSettings

    small = DienSettings(item_width=6, category_width=4, extractor_units=8, evolution_units=8, hidden=(16,))
    return fit(dataset, settings, small, on_epoch)


@pytest.fixture(scope="module")
def dataset(snapshot: Snapshot) -> Dataset:
    return Dataset(snapshot)


@pytest.fixture(scope="module")
def fitted(dataset: Dataset) -> Fitted:
    told: list[int] = []
    found = fit_small(dataset, chosen(), lambda epoch, _: told.append(epoch))
    assert told == list(range(1, len(found.history) + 1))
    return found


def test_a_planted_habit_is_learned(fitted: Fitted, dataset: Dataset) -> None:
    """Users buy from their own category: far better than what is popular, on days never learned from."""
    from training.baselines import popular
    from training.fit import ndcg_10

    rows = dataset.rows("fresh")
    counts = np.zeros(dataset.vocabulary.item_rows, np.float32)
    for row in dataset.rows("train"):
        np.add.at(counts, dataset.targets[row], 1.0)
    assert ndcg_10(fitted.model, dataset, rows) > 1.5 * ndcg_10(popular(counts), dataset, rows)


def test_the_best_epoch_is_kept(fitted: Fitted, dataset: Dataset) -> None:
    from training.fit import ndcg_10, validation_rows

    figures = [epoch["validation_ndcg_10"] for epoch in fitted.history]
    assert fitted.best_epoch == 1 + int(np.argmax(figures))
    found = ndcg_10(fitted.model, dataset, validation_rows(dataset, chosen()))
    assert found == pytest.approx(max(figures), abs=1e-6)
    assert fitted.history[-1]["auxiliary_loss"] < fitted.history[0]["auxiliary_loss"]
    assert fitted.seconds >= fitted.history[-1]["seconds"]


def test_equal_seeds_give_equal_models(dataset: Dataset) -> None:
    once, again = (fit_small(dataset, chosen(epochs=1)) for _ in range(2))
    for one, other in zip(once.model.get_weights(), again.model.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_scores_do_not_depend_on_the_batch(fitted: Fitted, dataset: Dataset) -> None:
    rows = dataset.rows("validation")[:7]
    told: list[tuple[int, int]] = []
    once = score_all(fitted.model, dataset, rows, batch=3, on_progress=lambda *place: told.append(place))
    np.testing.assert_allclose(score_all(fitted.model, dataset, rows, batch=7), once, atol=1e-5)
    assert once.shape == (7, len(dataset.vocabulary.items))
    assert told == [(3, 7), (6, 7), (7, 7)]


def test_only_training_days_are_learned_from(dataset: Dataset) -> None:
    from training.fit import training_rows, validation_rows

    rows = training_rows(dataset, chosen())
    assert rows.max() < dataset.rows("validation").min()
    assert set(validation_rows(dataset, chosen())) <= set(dataset.rows("validation"))


def test_too_short_a_history_is_refused(habit_log: Callable[..., Any], snapshot_of: Any, tmp_path: Path) -> None:
    from training.fit import fit

    short = snapshot_of(load_settings(tmp_path), habit_log(5, 10))
    with pytest.raises(TrainingError, match="no basket to learn from"):
        fit(Dataset(short))


def test_a_model_that_never_saw_the_moments_is_not_told_them(dataset: Dataset) -> None:
    """What is fed while fitting holds targets only as roles of candidates."""
    from training.fit import LOG_WEIGHT, OTHER_CATEGORY, OTHER_ITEM, POSITIVE, batches
    from training.sampling import Sampler

    sampler = Sampler(dataset, GROUPS)
    batch: Inputs = next(batches(dataset, sampler, dataset.rows("train"), 8, np.random.default_rng(0)))
    plain = dataset.encode(dataset.rows("train")[:8], batch["candidate_item"])
    assert set(batch) - set(plain) == {POSITIVE, LOG_WEIGHT, OTHER_ITEM, OTHER_CATEGORY}
