"""A snapshot in the ids of one model: rows, targets, and the inputs of any row and candidates."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray

from features.events.schema import ITEM_ID, PRICE, USER_ID
from features.inputs import Inputs, Prepared, assemble, prepare, stat_columns, stats_table
from features.pairs import Floats, Past
from features.state import UserState
from features.vocabulary import Indices, Vocabulary
from training.moments import DAY, MOMENT, TARGETS, Split
from training.snapshot import Snapshot

Rows = NDArray[np.int64]


class Dataset:
    """One moment a row, in order of time; features are read in the vocabulary's ids.

    The vocabulary may be another bundle's than the one made from this snapshot: what it does not
    know becomes ``UNKNOWN``.

    Attributes:
        targets: per row the item indices of its basket, ``UNKNOWN`` where the vocabulary lacks one.
        user_ids: per row.
        moments_us: per row, microseconds since 1970 UTC.
    """

    def __init__(self, snapshot: Snapshot, vocabulary: Vocabulary | None = None, sequence_length: int = 0) -> None:
        """Read ``snapshot`` in ``vocabulary`` (default: its own) with T = ``sequence_length`` (default: its own)."""
        self.snapshot = snapshot
        self.vocabulary = vocabulary or snapshot.vocabulary()
        self.sequence_length = sequence_length or int(snapshot.meta["sequence_length"])
        table = snapshot.moments
        self.user_ids: list[str] = table[USER_ID].to_pylist()
        self.moments_us: Rows = table[MOMENT].cast(pa.int64()).to_numpy()
        self.targets: list[Indices] = [self.vocabulary.encode_items(items) for items in table[TARGETS].to_pylist()]

    def __len__(self) -> int:
        return len(self.user_ids)

    @property
    def format(self) -> tuple[int, tuple[int, ...], tuple[int, ...]]:
        """Sequence length, window lengths and half-lives: what ``features.inputs.shapes`` asks for."""
        return self.sequence_length, self.snapshot.window_days, self.snapshot.half_life_days

    def rows(self, split: Split) -> Rows:
        """Rows of ``split``, in order of time."""
        return self.snapshot.rows(split)

    def encode(self, rows: ArrayLike, candidates: Indices) -> Inputs:
        """Inputs for ``rows`` (B,) and their ``candidates``, item indices (B, K); see ``features.inputs``."""
        chosen = np.asarray(rows, dtype=np.int64)
        prepared = [self._prepared[row] for row in chosen]
        stats = [self.stats_by_day[day] for day in self.day_of_row[chosen]]
        return assemble(prepared, candidates, stats, self.vocabulary)

    def past(self, row: int) -> Past:
        """The user's own items and categories at the moment of ``row``."""
        return self._prepared[row].past

    def stats(self, row: int) -> Floats:
        """``candidate_stats`` of every item at the moment of ``row``, shape (item_rows, I)."""
        return self.stats_by_day[int(self.day_of_row[row])]

    @cached_property
    def returning(self) -> NDArray[np.bool_]:
        """Per row, whether the user had done anything with an item before."""
        return np.array([bool(state.known) for state in self.states])

    @cached_property
    def states(self) -> list[UserState]:
        """Per row, what was known about the user."""
        return self.snapshot.states()

    @cached_property
    def _prepared(self) -> list[Prepared]:
        return [prepare(state, self.vocabulary, self.sequence_length) for state in self.states]

    @cached_property
    def day_of_row(self) -> Rows:
        """Number of each row's day among the days of the snapshot's moments."""
        return np.unique(_days(self.snapshot.moments), return_inverse=True)[1]

    @cached_property
    def stats_by_day(self) -> list[Floats]:
        """``candidate_stats`` by day, each of shape (item_rows, I).

        Every item has its price; one without a row did nothing lately.
        """
        windows, items = self.snapshot.window_days, self.snapshot.items
        names = [name for name in stat_columns(windows) if name != PRICE]
        counts = self._counts(names, items[ITEM_ID])
        prices = items[PRICE].fill_null(0).to_numpy()
        ids = items[ITEM_ID].to_pylist()
        return [
            stats_table(ids, {**dict(zip(names, day, strict=True)), PRICE: prices}, self.vocabulary, windows)
            for day in counts
        ]

    def _counts(self, names: list[str], items: pa.ChunkedArray) -> Rows:
        """Item windows, shape (days, names, items)."""
        table = self.snapshot.item_stats
        days = np.unique(_days(self.snapshot.moments))
        place = pa.compute.index_in(table[ITEM_ID], items).fill_null(-1).to_numpy()
        day = np.searchsorted(days, _days(table))
        counts = np.zeros((len(days), len(names), len(items)), dtype=np.int64)
        for column, name in enumerate(names):
            counts[day[place >= 0], column, place[place >= 0]] = table[name].to_numpy()[place >= 0]
        return counts


def _days(table: pa.Table) -> NDArray[np.datetime64]:
    return np.asarray(table[DAY].to_numpy().astype("datetime64[D]"))
