"""Layers against plain numpy, their padding, their configuration and their way to disk and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

pytestmark = pytest.mark.model

Array = NDArray[np.float32]


def random(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def sigmoid(values: Any) -> Any:
    return 1 / (1 + np.exp(-values))


@pytest.mark.parametrize("steps", [1, 7, 10, 23])
def test_augru_equals_a_plain_loop(steps: int) -> None:
    from training.layers.augru import AUGRU

    layer = AUGRU(3)
    inputs, attention = random(2, steps, 4), np.abs(random(2, 5, steps, seed=1)) % 1
    found = np.asarray(layer(inputs, attention))
    kernel, bias = (np.asarray(weight) for weight in layer.project.get_weights())
    of_update, of_reset, of_candidate = (np.asarray(weight) for weight in layer.recurrent)
    for user in range(2):
        for candidate in range(5):
            state = np.zeros(3)
            for step in range(steps):
                update, reset, new = np.split(inputs[user, step] @ kernel + bias, 3)
                update = attention[user, candidate, step] * sigmoid(update + state @ of_update)
                reset = sigmoid(reset + state @ of_reset)
                new = np.tanh(new + reset * (state @ of_candidate))
                state = (1 - update) * state + update * new
            np.testing.assert_allclose(found[user, candidate], state, atol=1e-5)


def test_augru_keeps_its_state_where_nothing_is_attended() -> None:
    from training.layers.augru import AUGRU

    layer = AUGRU(3)
    inputs, attention = random(1, 4, 2), np.abs(random(1, 2, 4))
    expected = np.asarray(layer(inputs, attention))
    noise, nothing = random(1, 13, 2, seed=5), np.zeros((1, 2, 13), np.float32)
    behind = layer(np.concatenate([inputs, noise], 1), np.concatenate([attention, nothing], 2))
    before = layer(np.concatenate([noise, inputs], 1), np.concatenate([nothing, attention], 2))
    np.testing.assert_allclose(behind, expected, atol=1e-6)
    np.testing.assert_allclose(before, expected, atol=1e-6)


def test_attention_sums_to_one_and_ignores_padding() -> None:
    from training.layers.target_attention import TargetAttention

    layer = TargetAttention()
    states, candidates = random(3, 6, 4), random(3, 5, 2)
    mask = np.array([[1, 1, 1, 1, 1, 1], [1, 1, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0]], bool)
    weights = np.asarray(layer(states, candidates, mask))
    assert weights.shape == (3, 5, 6)
    np.testing.assert_allclose(weights.sum(axis=2), [[1] * 5, [1] * 5, [0] * 5], atol=1e-6)
    assert not weights[~np.broadcast_to(mask[:, None], weights.shape)].any()
    states[~mask] = 1e3
    np.testing.assert_allclose(layer(states, candidates, mask), weights, atol=1e-6)


def test_extractor_skips_padding() -> None:
    from training.layers.interest_extractor import InterestExtractor

    layer = InterestExtractor(4)
    events = random(2, 3, 5)
    expected = np.asarray(layer(events, np.ones((2, 3), bool)))
    assert expected.shape == (2, 3, 4)
    noise, nothing = random(2, 2, 5, seed=3), np.zeros((2, 2), bool)
    mask = np.ones((2, 3), bool)
    behind = layer(np.concatenate([events, noise], 1), np.concatenate([mask, nothing], 1))
    before = layer(np.concatenate([noise, events], 1), np.concatenate([nothing, mask], 1))
    np.testing.assert_allclose(behind[:, :3], expected, atol=1e-6)
    np.testing.assert_allclose(before[:, 2:], expected, atol=1e-6)


def test_standardise_brings_to_scale_and_ignores_what_never_varied() -> None:
    from training.layers.standardise import Standardise

    layer = Standardise(limit=3.0)
    layer.build((None, 2))
    layer.adapt(np.array([[1.0, 7.0], [3.0, 7.0]], np.float32))
    found = np.asarray(layer(np.array([[1.0, 9.0], [4.0, 7.0], [99.0, 0.0]], np.float32)))
    np.testing.assert_allclose(found, [[-1, 0], [2, 0], [3, 0]], atol=1e-6)


def layers() -> list[tuple[Any, list[Array]]]:
    from training.layers.augru import AUGRU
    from training.layers.interest_extractor import InterestExtractor
    from training.layers.standardise import Standardise
    from training.layers.target_attention import TargetAttention

    mask = np.ones((2, 4), np.float32)
    return [
        (AUGRU(3, name="augru"), [random(2, 4, 5), np.abs(random(2, 3, 4))]),
        (InterestExtractor(3, name="extractor"), [random(2, 4, 5), mask]),
        (TargetAttention(name="attention"), [random(2, 4, 5), random(2, 3, 6), mask]),
        (Standardise(2.0, name="scale"), [random(2, 4)]),
    ]


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras 3.15 under numpy 2
def test_configuration_and_weights_make_the_layer_again(tmp_path: Path) -> None:
    import keras

    for layer, inputs in layers():
        expected = np.asarray(layer(*inputs))
        again = type(layer).from_config(layer.get_config())
        again(*inputs)
        again.set_weights(layer.get_weights())
        np.testing.assert_allclose(again(*inputs), expected, atol=1e-6)
        tensors = [keras.Input(batch_shape=(None, *values.shape[1:])) for values in inputs]
        saved = tmp_path / f"{layer.name}.keras"
        keras.Model(tensors, layer(*tensors)).save(saved)
        loaded = keras.models.load_model(saved)
        np.testing.assert_allclose(loaded(inputs), expected, atol=1e-6)
