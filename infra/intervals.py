"""How sure a mean is: bootstrap intervals, the same for training's figures and the gate's verdicts.

Users are resampled, not moments: one user's moments resemble each other, and taking them for
independent would make every interval too narrow and promote by luck.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

LEVEL = 0.95
RESAMPLES = 2000
_DRAWN_AT_ONCE = 2_000_000  # weights held in memory, 16 MB


@dataclass(frozen=True)
class Interval:
    """A mean over moments, and where it lies with 95 % confidence."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"


def mean_intervals(
    values: Mapping[str, ArrayLike], clusters: ArrayLike, *, resamples: int = RESAMPLES, seed: int = 0
) -> dict[str, Interval]:
    """Means over moments with percentile bounds of the cluster bootstrap (Davison and Hinkley, 1997, 3.8).

    Args:
        values: for each name n values, one a moment.
        clusters: the user of each moment, n of them; users are drawn with replacement, each with
            all its moments.
        resamples: draws; the same ones for all names.
        seed: equal seeds and values give equal bounds, in whatever order the moments come.

    Raises:
        ValueError: there is no moment, or the lengths differ.
    """
    names = list(values)
    table = np.stack([np.asarray(values[name], dtype=np.float64) for name in names], axis=1)
    _, index = np.unique(np.asarray(clusters), return_inverse=True)
    if len(table) == 0 or len(table) != len(index):
        raise ValueError(f"{len(table)} values for {len(index)} moments")
    counts = np.asarray(np.bincount(index), dtype=np.float64)
    sums = np.asarray(np.stack([np.bincount(index, weights=column) for column in table.T], axis=1), dtype=np.float64)
    low, high = np.quantile(_resampled(sums, counts, resamples, seed), [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    means = sums.sum(axis=0) / counts.sum()
    return {
        name: Interval(*bounds)
        for name, *bounds in zip(names, means.tolist(), low.tolist(), high.tolist(), strict=True)
    }


def mean_interval(values: ArrayLike, clusters: ArrayLike, *, resamples: int = RESAMPLES, seed: int = 0) -> Interval:
    """``mean_intervals`` of one quantity; of differences it is the paired bootstrap."""
    return mean_intervals({"": values}, clusters, resamples=resamples, seed=seed)[""]


def _resampled(
    sums: NDArray[np.float64], counts: NDArray[np.float64], resamples: int, seed: int
) -> NDArray[np.float64]:
    """Means of each draw, shape (resamples, names)."""
    clusters, random = len(counts), np.random.default_rng(seed)
    even = np.full(clusters, 1 / clusters)
    means = []
    for start in range(0, resamples, block := max(1, _DRAWN_AT_ONCE // clusters)):
        weights = random.multinomial(clusters, even, size=min(block, resamples - start)).astype(np.float64)
        means.append((weights @ sums) / (weights @ counts)[:, None])
    return np.concatenate(means)
