"""Ranks candidates with the bundle that serves: one user, K candidates, K always the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.events.schema import ITEM_ID, PRICE
from features.inputs import ATTENTION, SCORE, encode, stat_columns, stats_table
from features.state import UserState, from_row
from features.state_table import window_columns
from features.vocabulary import FIRST, PADDING
from infra.errors import RegistryError
from serving.ports import ItemStats, Ranker

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Ranked:
    """One item of a ranking; ``attention`` (T,) says how much each event of the sequence counted for it."""

    item_id: str
    score: float
    attention: Floats


def rank(bundle: Ranker, stats: Floats, state: UserState, candidates: Sequence[str], size: int) -> list[Ranked]:
    """Candidates by score, the best first; ties in the order they came in.

    Args:
        stats: item windows by item index, see ``candidate_stats``.
        candidates: item ids that the bundle knows, ``size`` at most.
        size: K; shorter lists are padded, so that the model sees one shape alone.

    Raises:
        RegistryError: the model answers with something that is no number.
    """
    indices = np.full((1, size), PADDING, dtype=np.int32)
    indices[0, : len(candidates)] = bundle.vocabulary.encode_items(candidates)
    outputs = bundle.score(encode([state], indices, [stats], bundle.vocabulary, bundle.meta.sequence_length))
    scores = outputs[SCORE][0, : len(candidates)]
    if not np.isfinite(scores).all():
        raise RegistryError(f"{bundle.meta.name} gave a score that is no number.", "Roll back, and train it again.")
    order = np.argsort(-scores, kind="stable")
    return [Ranked(candidates[place], float(scores[place]), outputs[ATTENTION][0, place]) for place in order]


def candidate_stats(bundle: Ranker, stats: ItemStats) -> Floats:
    """``candidate_stats`` by item index, shape (item_rows, I), as training makes them: no row means zeros."""
    items, columns = stats
    names = [name for name in stat_columns(bundle.meta.window_days) if name != PRICE]
    ids = bundle.items[ITEM_ID].to_pylist()
    index, known = bundle.vocabulary.encode_items(ids), bundle.vocabulary.encode_items(items)
    table: dict[str, NDArray[np.int64]] = {PRICE: bundle.items[PRICE].fill_null(0).to_numpy()}
    for name in names:
        by_index = np.zeros(bundle.vocabulary.item_rows, dtype=np.int64)
        if len(items):
            by_index[known] = np.asarray(columns[name], dtype=np.int64)
        by_index[:FIRST] = 0
        table[name] = by_index[index]
    return stats_table(ids, table, bundle.vocabulary, bundle.meta.window_days)


def warm(bundle: Ranker, size: int) -> None:
    """Rank once for nobody, so that the first answer does not pay for loading."""
    meta = bundle.meta
    nobody = from_row("", {}, window_columns(meta.window_days), meta.half_life_days)
    rank(bundle, candidate_stats(bundle, ((), {})), nobody, bundle.vocabulary.items[:size], size)
