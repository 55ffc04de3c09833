"""How well a model ranks: full ranking of the catalogue at every moment of a split."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from features.bundle import Bundle
from features.events.schema import SESSION_ID, USER_ID
from features.vocabulary import FIRST, Indices
from infra.errors import TrainingError
from training.dataset import Dataset, Rows
from training.figures import Figures, figures
from training.metrics import CUTS, Floats, coverage
from training.ranking import Columns, Scores, top
from training.ranking import rank as rank_columns
from training.score import BATCH, compiled
from training.slices import slice_of
from training.snapshot import Snapshot


def rank(scores: Scores, targets: Sequence[Indices], *, moments: Sequence[int] | None = None) -> list[Floats]:
    """Ranks of each moment's targets, from 1; infinity for ``UNKNOWN``. See ``training.ranking.rank``.

    Args:
        scores: of every known item, shape (moments, items), in the order of the vocabulary.
        targets: item indices.
    """
    return rank_columns(scores, [indices.astype(np.int64) - FIRST for indices in targets], moments=moments)


def evaluate(model: Any, dataset: Dataset, rows: Rows, *, batch: int = BATCH) -> Figures:
    """Measure a model or a bundle on ``rows`` of a data set in its own vocabulary."""
    return evaluate_all({"": model}, dataset, rows, batch=batch)[""]


def evaluate_all(
    models: Mapping[str, Any],
    dataset: Dataset,
    rows: Rows,
    *,
    batch: int = BATCH,
    on_progress: Callable[[int, int], None] | None = None,
) -> dict[str, Figures]:
    """Measure models of one vocabulary side by side: the inputs, which cost most, are made once for all.

    Args:
        models: bundles, or anything callable on the input dictionary.
        batch: moments scored at once; no more scores than theirs are held.
        on_progress: told the rows done and the rows there are.

    Raises:
        TrainingError: a score is not a number.
    """
    tallies = {name: _Tally(dataset) for name in models}
    programs = {name: compiled(model) for name, model in models.items()}
    items = np.tile(dataset.vocabulary.all_items, (batch, 1))
    for start in range(0, len(rows), batch):
        part = rows[start : start + batch]
        # the last batch is filled up: one shape means one compilation
        inputs = dataset.encode(np.resize(part, batch), items)
        for name, program in programs.items():
            tallies[name].add(program(inputs)[: len(part)], part)
        if on_progress:
            on_progress(start + len(part), len(rows))
    return {name: tally.figures(rows) for name, tally in tallies.items()}


def dataset_of(bundle: Bundle, snapshot: Snapshot) -> Dataset:
    """The snapshot as ``bundle`` reads it: in its vocabulary and with its length of the sequence.

    Raises:
        TrainingError: the bundle reads other windows or half-lives than the snapshot holds.
    """
    meta = bundle.meta
    for name in ("window_days", "half_life_days"):
        if getattr(meta, name) != getattr(snapshot, name):
            raise TrainingError(
                f"{meta.name} reads {name} {getattr(meta, name)}, the snapshot holds {getattr(snapshot, name)}.",
                "Train it again with the present settings.",
            )
    return Dataset(snapshot, bundle.vocabulary, meta.sequence_length)


def moment_ids(dataset: Dataset, rows: Rows) -> list[str]:
    """``user:session:moment`` of each row: the same basket has the same id for every model."""
    table = dataset.snapshot.moments.select([USER_ID, SESSION_ID]).take(pa.array(rows))
    pairs = zip(table[USER_ID].to_pylist(), table[SESSION_ID].to_pylist(), dataset.moments_us[rows], strict=True)
    return [f"{user}:{session}:{moment}" for user, session, moment in pairs]


class _Tally:
    """Ranks and lists of one model, batch after batch."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._ranks: list[Floats] = []
        self._tops: dict[int, list[Columns]] = {cut: [] for cut in CUTS}

    def add(self, scores: Scores, rows: Rows) -> None:
        self._ranks += rank(scores, [self._dataset.targets[row] for row in rows], moments=rows.tolist())
        for cut, lists in self._tops.items():
            lists.append(top(scores, cut, moments=rows.tolist()))

    def figures(self, rows: Rows) -> Figures:
        dataset = self._dataset
        return figures(
            self._ranks,
            moments=moment_ids(dataset, rows),
            users=[dataset.user_ids[row] for row in rows],
            kinds=[slice_of(dataset.states[row]) for row in rows],
            covered={
                f"coverage_{cut}": coverage(lists, len(dataset.vocabulary.items)) for cut, lists in self._tops.items()
            },
        )
