"""Ranking metrics per moment, from the ranks of its targets among all items.

A moment is a basket: its targets are a set, relevance is binary. Ranks count from 1; an item that the
model does not know has rank infinity: it is never found, and stays in the denominators.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from infra.errors import TrainingError

CUTS: Final = (5, 10, 20)

Floats = NDArray[np.float64]
Ranks = Sequence[Floats]


def per_moment(ranks: Ranks, cuts: Sequence[int] = CUTS) -> dict[str, Floats]:
    """Every metric of every moment, each of shape (moments,), in [0, 1].

    For each cut k: ``recall_k`` = found / targets, ``precision_k`` = found / k, ``hit_k`` = any found,
    ``ndcg_k`` (Järvelin and Kekäläinen, 2002, binary gain, discount log2(1 + rank)), ``mrr_k`` =
    1 / rank of the first target, 0 beyond k; and ``mrr`` without a cut.

    Args:
        ranks: for each moment the ranks of its targets, at least one, no rank twice but infinity.

    Raises:
        TrainingError: a moment has no target.
    """
    sizes = np.array([len(moment) for moment in ranks], dtype=np.int64)
    if not sizes.all():
        raise TrainingError("A moment without a target cannot be measured.", "Leave such moments out.")
    if not len(sizes):
        return {name: np.empty(0) for name in metric_names(cuts)}
    flat = np.concatenate(ranks).astype(np.float64)
    moment = np.repeat(np.arange(len(sizes)), sizes)
    first = np.minimum.reduceat(flat, np.concatenate([[0], np.cumsum(sizes)[:-1]]))
    measured = {"mrr": 1 / first}
    for cut in cuts:
        measured |= _at(cut, flat, moment, sizes, first)
    return {name: measured[name] for name in metric_names(cuts)}


def metric_names(cuts: Sequence[int] = CUTS) -> tuple[str, ...]:
    """Names that ``per_moment`` gives, in the order of a leaderboard."""
    kinds = ("ndcg", "recall", "hit", "precision", "mrr")
    return (*(f"{kind}_{cut}" for kind in kinds for cut in cuts), "mrr")


def coverage(lists: Sequence[NDArray[np.int64]], items: int) -> float:
    """Share of the catalogue that appears in at least one list.

    Args:
        lists: recommended item columns, arrays of any shape.
        items: size of the catalogue.
    """
    seen = {int(column) for part in lists for column in np.unique(part)}
    return len(seen) / items if items else 0.0


def _at(
    cut: int, flat: Floats, moment: NDArray[np.int64], sizes: NDArray[np.int64], first: Floats
) -> dict[str, Floats]:
    inside = flat <= cut
    found = np.bincount(moment, weights=inside, minlength=len(sizes))
    gain = np.bincount(moment, weights=np.where(inside, 1 / np.log2(1 + flat), 0.0), minlength=len(sizes))
    ideal = np.cumsum(1 / np.log2(np.arange(2, cut + 2)))[np.minimum(sizes, cut) - 1]
    return {
        f"ndcg_{cut}": gain / ideal,
        f"recall_{cut}": found / sizes,
        f"hit_{cut}": (found > 0).astype(np.float64),
        f"precision_{cut}": found / cut,
        f"mrr_{cut}": np.where(first <= cut, 1 / first, 0.0),
    }
