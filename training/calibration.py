"""Whether scores mean what they say: predicted against observed shares of the basket."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from features.vocabulary import FIRST, Indices
from training.ranking import Scores

GROUPS: Final = 12
_MOMENTS: Final = 1000  # enough for a curve; the softmax of more would fill the memory


@dataclass(frozen=True)
class Calibration:
    """Groups of (moment, item) pairs with about equal predicted mass, from unlikely to likely.

    Attributes:
        predicted: mean probability of a group's pairs, softmax of the scores over the catalogue.
        observed: mean share that the pairs' items had in the baskets.
        error: mean absolute difference of the two over all predicted mass, in [0, 2].
    """

    predicted: NDArray[np.float64]
    observed: NDArray[np.float64]
    error: float


def calibration(scores: Scores, targets: Sequence[Indices], groups: int = GROUPS) -> Calibration:
    """Compare the softmax of ``scores`` (moments, items) with the baskets, at most 1,000 moments evenly spread.

    Args:
        targets: item indices of each moment's basket; ``UNKNOWN`` has no column, its share goes unpredicted.
    """
    chosen = np.unique(np.linspace(0, len(scores) - 1, min(_MOMENTS, len(scores))).astype(np.int64))
    shares = np.stack([_shares(targets[row], scores.shape[1]) for row in chosen]).ravel()
    probabilities = _softmax(scores[chosen]).ravel()
    order = np.argsort(probabilities, kind="stable")
    mass = np.cumsum(probabilities[order])
    group = np.minimum((mass / mass[-1] * groups).astype(np.int64), groups - 1)
    sizes = np.bincount(group, minlength=groups)
    kept = sizes > 0
    predicted = np.bincount(group, probabilities[order], groups)[kept]
    observed = np.bincount(group, shares[order], groups)[kept]
    error = float(np.abs(predicted - observed).sum() / predicted.sum())
    return Calibration(predicted / sizes[kept], observed / sizes[kept], error)


def _softmax(scores: Scores) -> NDArray[np.float64]:
    raised = np.exp(scores.astype(np.float64) - scores.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def _shares(targets: Indices, items: int) -> NDArray[np.float64]:
    shares = np.zeros(items)
    columns = targets[targets >= FIRST] - FIRST
    shares[columns] = 1 / len(targets)
    return shares
