"""Item vectors to start from: items that are bought together point the same way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from features.vocabulary import FIRST, Indices

Floats = NDArray[np.float32]

#: Baskets added to every item's count: a pair seen once or twice proves little.
SHRINK: Final = 5.0
_EXTRA, _TURNS = 8, 4


def item_vectors(baskets: Sequence[Indices], item_rows: int, width: int, rng: np.random.Generator) -> Floats:
    """Vectors (item_rows, width) whose products come near the items' cosines in baskets.

    The symmetric similarity ``C_ij / sqrt((n_i + s) (n_j + s))``, where ``C`` counts baskets with both,
    each basket weighing 1 / its size, is cut to its strongest ``width`` directions by a randomised
    eigendecomposition (Halko, Martinsson and Tropp, 2011). Padding, unknown and items in no basket get zeros.

    Args:
        baskets: item indices of each basket.
    """
    similarity, seen = _similarity(baskets, item_rows)
    sketch = rng.normal(size=(item_rows, min(width + _EXTRA, item_rows))).astype(np.float32)
    for _ in range(_TURNS):
        sketch = np.linalg.qr(similarity @ sketch)[0]
    values, vectors = np.linalg.eigh(sketch.T @ similarity @ sketch)
    strongest = np.argsort(-values)[:width]
    found = (sketch @ vectors[:, strongest]) * np.sqrt(np.maximum(values[strongest], 0.0))
    table = np.zeros((item_rows, width), dtype=np.float32)
    table[:, : found.shape[1]] = found * seen[:, None]
    return table


def _similarity(baskets: Sequence[Indices], item_rows: int) -> tuple[Floats, NDArray[np.bool_]]:
    counts = np.zeros(item_rows, dtype=np.float32)
    together = np.zeros((item_rows, item_rows), dtype=np.float32)
    for basket in baskets:
        items = basket[basket >= FIRST]
        counts[items] += 1.0
        together[items[:, None], items] += 1.0 / max(len(items), 1)
    np.fill_diagonal(together, 0.0)
    scale = 1.0 / np.sqrt(counts + SHRINK)
    return together * scale[:, None] * scale, counts > 0
