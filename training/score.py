"""Full ranking: the score of every item of the vocabulary at each moment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from features.bundle import Bundle
from features.inputs import SCORE
from training.dataset import Dataset

Scores = NDArray[np.float32]

#: Moments scored at once: enough to fill the cores, few enough for their caches.
BATCH: Final = 8


def score_all(
    model: Any,
    dataset: Dataset,
    rows: NDArray[np.int64],
    batch: int = BATCH,
    on_progress: Callable[[int, int], None] | None = None,
) -> Scores:
    """Scores of all items, shape (rows, items); column ``i`` is item index ``i + 2`` of the vocabulary.

    Args:
        model: a ``Bundle``, or anything callable on the input dictionary. The dataset must be read
            in its vocabulary.
        rows: of the dataset.
        batch: moments scored at once.
        on_progress: told the rows done and the rows there are.
    """
    score = compiled(model)
    items = dataset.vocabulary.all_items
    result = np.empty((len(rows), len(items)), dtype=np.float32)
    for start in range(0, len(rows), batch):
        part = rows[start : start + batch]
        # the last batch is filled up: one shape means one compilation
        filled = np.resize(part, batch)
        result[start : start + batch] = score(dataset.encode(filled, np.tile(items, (batch, 1))))[: len(part)]
        if on_progress:
            on_progress(start + len(part), len(rows))
    return result


def compiled(model: Any) -> Callable[[dict[str, Any]], Scores]:
    """The model's ``score`` as one graph."""
    import tensorflow as tf

    call = (lambda inputs: model.endpoint(**inputs)) if isinstance(model, Bundle) else model
    program = tf.function(lambda inputs: call(inputs)[SCORE])
    return lambda inputs: program({name: tf.constant(values) for name, values in inputs.items()}).numpy()
