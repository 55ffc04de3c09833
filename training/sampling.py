"""Groups of candidates to learn from: some of a basket's items against sampled others."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from features.inputs import SEQUENCE_ITEM, Inputs, stat_columns
from features.vocabulary import FIRST, PADDING, Indices
from features.window_views import item_window_column
from training.dataset import Dataset, Rows

Floats = NDArray[np.float32]

#: Stands for the logarithm of zero: the column does not count.
NEVER = -1e9


@dataclass(frozen=True)
class GroupSettings:
    """How many candidates of each kind a group has.

    Attributes:
        positives: items of the basket.
        own: items that the user had before and does not buy now: the hardest, and the most telling.
        others: drawn from the catalogue with replacement.
        popular_share: of ``others``, drawn by recent popularity; the rest uniformly.
    """

    positives: int = 4
    own: int = 14
    others: int = 14
    popular_share: float = 0.7


@dataclass(frozen=True)
class Group:
    """Candidates (B, K) with their roles; see ``training.losses.sampled_softmax``."""

    candidates: Indices
    positive: Floats
    log_weight: Floats


class Sampler:
    """Draws groups for rows of a dataset, and says how often each item is drawn.

    A negative's weight is one over its expected number of draws, so that weighted sums over a group
    are unbiased estimates of sums over all items outside the basket: own items are drawn much more
    often than their share, and would look too bad otherwise.
    """

    def __init__(self, dataset: Dataset, settings: GroupSettings) -> None:
        self.dataset, self.settings = dataset, settings
        names = stat_columns(dataset.snapshot.window_days)
        longest = max(dataset.snapshot.window_days)
        self._popularity = names.index(item_window_column("purchase", "users", longest))

        self._marks = np.zeros(dataset.vocabulary.item_rows, dtype=bool)

    @property
    def width(self) -> int:
        """K."""
        return self.settings.positives + self.settings.own + self.settings.others

    def groups(self, rows: Rows, rng: np.random.Generator) -> Group:
        """One group a row; rows without a known target have no positive."""
        drawn = [self._one(int(row), rng) for row in rows]
        return Group(*(np.stack(column) for column in zip(*drawn, strict=True)))

    def others(self, inputs: Inputs, rng: np.random.Generator) -> Indices:
        """Items drawn uniformly in the shape of the sequence (B, T): the auxiliary loss's negatives."""
        shape = np.shape(inputs[SEQUENCE_ITEM])
        return rng.integers(FIRST, self.dataset.vocabulary.item_rows, shape, dtype=np.int32)

    def _one(self, row: int, rng: np.random.Generator) -> tuple[Indices, Floats, Floats]:
        chosen = self.settings
        known = self.dataset.targets[row]
        known = known[known >= FIRST]
        own = self.dataset.past(row).items
        own = own[~self._among(own, known)]
        positives = rng.permutation(known)[: chosen.positives]
        hardest = rng.permutation(own)[: chosen.own]
        drawn, weight = self._catalogue(row, rng)
        weight[self._among(drawn, np.concatenate([known, own]))] = NEVER
        items = np.full(self.width, PADDING, dtype=np.int32)
        weights = np.full(self.width, NEVER, dtype=np.float32)
        positive = np.zeros(self.width, dtype=np.float32)
        last = chosen.positives + len(hardest)
        items[: len(positives)], positive[: len(positives)] = positives, 1.0
        items[chosen.positives : last] = hardest
        weights[chosen.positives : last] = np.log(len(own) / max(len(hardest), 1)) if len(own) else 0.0
        items[-chosen.others :], weights[-chosen.others :] = drawn, weight
        return items, positive, weights

    def _among(self, items: Indices, those: Indices) -> NDArray[np.bool_]:
        """Which of ``items`` are among ``those``."""
        self._marks[those] = True
        found = self._marks[items]
        self._marks[those] = False
        return found

    def _catalogue(self, row: int, rng: np.random.Generator) -> tuple[Indices, Floats]:
        """Items of the whole catalogue and the logarithm of their weights."""
        chances, cumulated = self._chances[int(self.dataset.day_of_row[row])]
        places = np.searchsorted(cumulated, rng.random(self.settings.others), side="right")
        places = np.minimum(places, len(chances) - 1)
        return (places + FIRST).astype(np.int32), -np.log(chances[places] * self.settings.others)

    @cached_property
    def _chances(self) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
        """By day: each item's chance in one draw, and their running sum."""
        return [self._mix(table[FIRST:, self._popularity]) for table in self.dataset.stats_by_day]

    def _mix(self, popularity: Floats) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        buyers = np.expm1(popularity.astype(np.float64))
        share = self.settings.popular_share if buyers.sum() else 0.0
        chances = share * buyers / max(buyers.sum(), 1.0) + (1.0 - share) / len(buyers)
        return chances, np.cumsum(chances)
