"""Item vectors: what is bought together lies together, and their products are the similarities they come from."""

from __future__ import annotations

import numpy as np

from features.vocabulary import FIRST
from training.item_vectors import SHRINK, item_vectors

ROWS = FIRST + 8


def baskets(*items: tuple[int, ...]) -> list[np.ndarray]:
    return [np.array(basket, dtype=np.int32) + FIRST for basket in items]


def vectors(found: list[np.ndarray], width: int = 4) -> np.ndarray:
    return item_vectors(found, ROWS, width, np.random.default_rng(0))


def test_items_of_one_kind_point_the_same_way() -> None:
    """Two kinds of items, never in one basket."""
    rng = np.random.default_rng(1)
    kinds = [tuple(rng.choice(4, 3, replace=False) + 4 * (number % 2)) for number in range(60)]
    found = vectors(baskets(*kinds))[FIRST:]
    cosines = found @ found.T / np.outer(np.linalg.norm(found, axis=1), np.linalg.norm(found, axis=1))
    same = np.equal.outer(np.arange(8) < 4, np.arange(8) < 4)
    assert cosines[same].min() > 0.9
    assert np.abs(cosines[~same]).max() < 0.1


def test_products_of_two_items_by_hand() -> None:
    """Ten baskets of the same two items: similarity 10 * 1/2 / (10 + s); the one direction that is kept halves it."""
    found = vectors(baskets(*[(0, 1)] * 10), width=1)
    similarity = 10 * 0.5 / (10 + SHRINK)
    np.testing.assert_allclose(found[FIRST] @ found[FIRST + 1], similarity / 2, rtol=1e-4)


def test_items_in_no_basket_and_unknown_ones_get_zeros() -> None:
    found = vectors([*baskets((0, 1), (0, 1)), np.array([0, 1, FIRST], dtype=np.int32)])
    assert found.shape == (ROWS, 4)
    assert not found[:FIRST].any()
    assert not found[FIRST + 2 :].any()


def test_no_basket_at_all() -> None:
    assert not vectors([]).any()


def test_a_catalogue_narrower_than_the_vectors() -> None:
    assert vectors(baskets((0, 1)), width=32).shape == (ROWS, 32)
