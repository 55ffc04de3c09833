"""DIEN: padding does not matter, strangers do not crash it, and it survives the way to disk and out of the house."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.bundle import Bundle, BundleMeta
from features.inputs import ATTENTION, SCORE, Inputs
from features.vocabulary import PADDING, UNKNOWN
from infra.errors import RegistryError, TrainingError
from infra.settings import PROJECT
from training.dataset import Dataset
from training.snapshot import Snapshot

pytestmark = pytest.mark.model

META = BundleMeta(
    name="dien",
    kind="model",
    feature_service="interest_v1",
    feature_service_version="v",
    features={},
    sequence_length=12,
    window_days=(1, 7, 30),
    half_life_days=(1, 7, 30, 90),
    history_items=1000,
    data_digest="d",
    snapshot_id="s",
    git_commit="c",
    created_at="2010-12-10T00:00:00+00:00",
)


@pytest.fixture(scope="module")
def dataset(snapshot: Snapshot) -> Dataset:
    return Dataset(snapshot)


@pytest.fixture(scope="module")
def inputs(dataset: Dataset) -> Inputs:
    rows = dataset.rows("validation")[-4:]
    return dataset.encode(rows, np.tile(dataset.vocabulary.all_items, (len(rows), 1)))


@pytest.fixture(scope="module")
def model(dataset: Dataset, inputs: Inputs) -> Any:
    from training.models.dien import Dien, DienSettings

    found = Dien.of(dataset.vocabulary, DienSettings(item_width=4, extractor_units=6, evolution_units=5, hidden=(8, 4)))
    found.build({name: values.shape for name, values in inputs.items()})
    found.adapt(inputs)
    return found


def answer(model: Any, inputs: Inputs) -> dict[str, Any]:
    return {name: values.numpy() for name, values in model(inputs).items()}


def moved(inputs: Inputs, before: int, behind: int) -> Inputs:
    """The same with padding around the sequences."""
    return {
        name: np.pad(values, [(0, 0), (before, behind)]) if name.startswith("sequence") else values
        for name, values in inputs.items()
    }


def test_shapes_and_types(model: Any, inputs: Inputs, dataset: Dataset) -> None:
    found = answer(model, inputs)
    assert found[SCORE].shape == (4, len(dataset.vocabulary.items))
    assert found[ATTENTION].shape == (*found[SCORE].shape, 12)
    assert {values.dtype for values in found.values()} == {np.dtype(np.float32)}
    assert np.isfinite(found[SCORE]).all()


@pytest.mark.parametrize(("before", "behind"), [(0, 1), (0, 9), (7, 0), (3, 5)])
def test_padding_anywhere_changes_nothing(model: Any, inputs: Inputs, before: int, behind: int) -> None:
    expected, found = answer(model, inputs), answer(model, moved(inputs, before, behind))
    np.testing.assert_allclose(found[SCORE], expected[SCORE], atol=1e-5)
    attention = found[ATTENTION][:, :, before : before + 12]
    np.testing.assert_allclose(attention, expected[ATTENTION], atol=1e-6)


def test_candidates_do_not_see_each_other(model: Any, inputs: Inputs) -> None:
    few = {name: values[:, 3:5] if name.startswith("candidate") else values for name, values in inputs.items()}
    np.testing.assert_allclose(answer(model, few)[SCORE], answer(model, inputs)[SCORE][:, 3:5], atol=1e-5)


def test_the_order_of_events_matters(model: Any, inputs: Inputs) -> None:
    """It is a sequence model: what it answers depends on more than the set of events."""
    turned = {name: values[:, ::-1] if name.startswith("sequence") else values for name, values in inputs.items()}
    assert np.abs(answer(model, turned)[SCORE] - answer(model, inputs)[SCORE]).max() > 1e-6


def test_unknown_ids_and_nobody_at_all(model: Any, inputs: Inputs) -> None:
    unknown = {
        name: np.full_like(values, UNKNOWN) if values.dtype == np.int32 else values for name, values in inputs.items()
    }
    nobody = {name: np.full_like(values, PADDING) for name, values in inputs.items()}
    assert np.isfinite(answer(model, unknown)[SCORE]).all()
    found = answer(model, nobody)
    assert np.isfinite(found[SCORE]).all()
    assert not found[ATTENTION].any()


def test_a_behaviour_never_seen_in_training_moves_nothing(model: Any, inputs: Inputs) -> None:
    """The user columns that never varied (no one ever clicked) may take any value."""
    constant = inputs["user"].std(axis=0) == 0
    assert constant.any()
    changed = {**inputs, "user": inputs["user"] + 3.0 * constant}
    np.testing.assert_allclose(answer(model, changed)[SCORE], answer(model, inputs)[SCORE], atol=1e-6)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras 3.15 under numpy 2
def test_keras_saves_and_loads_it(model: Any, inputs: Inputs, tmp_path: Path) -> None:
    import keras

    model.save(tmp_path / "dien.keras")
    loaded = keras.models.load_model(tmp_path / "dien.keras")
    np.testing.assert_allclose(answer(loaded, inputs)[SCORE], answer(model, inputs)[SCORE], atol=1e-6)


def test_its_bundle_answers_alike_even_without_the_training_room(
    model: Any, inputs: Inputs, dataset: Dataset, snapshot: Snapshot, tmp_path: Path
) -> None:
    from training.export import save_bundle

    folder = save_bundle(tmp_path / "bundle", model, dataset.vocabulary, snapshot.items, META)
    bundle = Bundle.load(folder)
    expected = answer(model, inputs)
    for name, values in bundle.score(inputs).items():
        np.testing.assert_allclose(values, expected[name], atol=1e-5)
    assert bundle.meta == META
    assert bundle.vocabulary == dataset.vocabulary
    assert bundle.items["item_id"].to_pylist() == list(dataset.vocabulary.items)
    one = {name: values[:1, :2] if name.startswith("candidate") else values[:1] for name, values in inputs.items()}
    assert bundle.score(one)[SCORE].shape == (1, 2)

    np.savez(tmp_path / "inputs.npz", **inputs)
    code = f"""
import sys
sys.modules["training"] = None
import numpy as np
from pathlib import Path
from features.bundle import Bundle
inputs = dict(np.load({str(tmp_path / "inputs.npz")!r}))
np.save({str(tmp_path / "scores.npy")!r}, Bundle.load(Path({str(folder)!r})).score(inputs)["score"])
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=PROJECT, timeout=200)
    np.testing.assert_allclose(np.load(tmp_path / "scores.npy"), expected[SCORE], atol=1e-5)


def test_an_item_without_a_row_is_refused(model: Any, dataset: Dataset, snapshot: Snapshot, tmp_path: Path) -> None:
    from training.export import save_bundle

    with pytest.raises(TrainingError, match="lacks 1 items"):
        save_bundle(tmp_path / "bundle", model, dataset.vocabulary, snapshot.items.slice(1), META)
    assert not (tmp_path / "bundle").exists()


def test_a_folder_that_is_no_bundle_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match=r"lacks bundle\.json"):
        Bundle.load(tmp_path)
