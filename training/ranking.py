"""From scores to ranks, with ties broken by lot: a model gains nothing by scoring all items alike."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from infra.errors import TrainingError

Scores = NDArray[np.float32]
Columns = NDArray[np.int64]


def rank(
    scores: Scores, targets: Sequence[Columns], *, moments: Sequence[int] | None = None, seed: int = 0
) -> list[NDArray[np.float64]]:
    """Ranks of each moment's targets among all items; 1 is best.

    Items with equal scores stand in a random order, drawn anew for each moment: unlike the mean rank
    it keeps every metric unbiased (a tied target is found as often as its share of the tie says).

    Args:
        scores: shape (moments, items), higher is better.
        targets: for each moment the columns of its targets; a negative column is an item that the
            model does not know: its rank is infinity.
        moments: a number for each moment; its lots hang on it, not on the others. By default its place.
        seed: of the lots.

    Raises:
        TrainingError: a score is not a number.
    """
    _refuse_nan(scores)
    lots = _lots(scores, moments, seed)
    return [_rank(row, columns, lot) for row, columns, lot in zip(scores, targets, lots, strict=True)]


def top(scores: Scores, count: int, *, moments: Sequence[int] | None = None, seed: int = 0) -> Columns:
    """The ``count`` best columns of each moment, shape (moments, min(count, items)), in no order.

    Ties at the edge are drawn with the same lots as in ``rank``.
    """
    _refuse_nan(scores)
    count = min(count, scores.shape[1])
    rows = [_top(row, count, lots) for row, lots in zip(scores, _lots(scores, moments, seed), strict=True)]
    return np.array(rows, dtype=np.int64).reshape(len(scores), count)


class _Lots:
    """A random key for each item of one moment, drawn when a tie asks for it."""

    def __init__(self, seed: int, moment: int, items: int) -> None:
        self._seed, self._items = (seed, moment), items
        self._keys: NDArray[np.float64] | None = None

    def __call__(self) -> NDArray[np.float64]:
        if self._keys is None:
            self._keys = np.random.default_rng(self._seed).random(self._items)
        return self._keys


def _lots(scores: Scores, moments: Sequence[int] | None, seed: int) -> list[_Lots]:
    numbers = range(len(scores)) if moments is None else moments
    return [_Lots(seed, int(number), scores.shape[1]) for number in numbers]


def _rank(row: Scores, columns: Columns, lots: _Lots) -> NDArray[np.float64]:
    ranks = np.full(len(columns), np.inf)
    known = np.flatnonzero(columns >= 0)
    if not len(known):
        return ranks
    ordered = np.sort(row)
    ours = row[columns[known]]
    above = len(row) - np.searchsorted(ordered, ours, side="right")
    tied = np.searchsorted(ordered, ours, side="right") - np.searchsorted(ordered, ours, side="left")
    ranks[known] = 1 + above
    for place in np.flatnonzero(tied > 1):
        column = columns[known[place]]
        rivals = lots()[row == row[column]]
        ranks[known[place]] += np.count_nonzero(rivals < lots()[column])
    return ranks


def _top(row: Scores, count: int, lots: _Lots) -> Columns:
    edge = np.partition(row, len(row) - count)[len(row) - count]
    above = np.flatnonzero(row > edge)
    tied = np.flatnonzero(row == edge)
    if len(above) + len(tied) > count:
        tied = tied[np.argsort(lots()[tied])[: count - len(above)]]
    return np.concatenate([above, tied])


def _refuse_nan(scores: Scores) -> None:
    if np.isnan(scores).any():
        raise TrainingError("The model answered with scores that are not numbers.", "Train it again.")
