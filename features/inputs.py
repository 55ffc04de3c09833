"""The one dictionary that every model reads, and the one that it answers with.

Shapes: B users, T sequence steps and H items of the history (padded behind), K candidates. Training,
judging and answering all come through ``encode``. Times enter as gaps, ``log1p`` of days, never as
dates; counts as ``log1p``.

Inputs::

    sequence_item, sequence_category, sequence_behaviour   (B, T) int32, 0 behind the last event
    sequence_gap     (B, T) float32  log1p(days since the event before; 0 for the first)
    sequence_age     (B, T) float32  log1p(days from the event to the moment)
    sequence_dwell   (B, T) float32  log1p(seconds)
    history_item     (B, H) int32    items that the user wanted, latest first, 0 behind the last
    history_purchases  (B, H) float32  log1p(purchases of each)
    user             (B, U) float32  user windows, today's counts, habits; see ``user_columns``
    candidate_item, candidate_category                     (B, K) int32, 0 behind the last candidate
    candidate_user   (B, K, P) float32  this user and this candidate, see ``pair_columns``
    candidate_stats  (B, K, I) float32  the candidate's item windows and price, see ``stat_columns``

Outputs: ``score`` (B, K) float32, higher is better; ``attention`` (B, K, T) float32, how much each
event counted for each candidate (zeros for models without attention).
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence as Many
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from features.events.schema import PRICE
from features.pairs import HABIT_COLUMNS, ITEM_COLUMNS, Floats, Past, days_between, pair_columns, pairs, past_of
from features.state import UserState
from features.vocabulary import FIRST, Indices, Vocabulary, encode_behaviours
from features.window_views import WINDOW_BEHAVIOURS, item_window_column, user_count_columns

SEQUENCE_ITEM: Final = "sequence_item"
SEQUENCE_CATEGORY: Final = "sequence_category"
SEQUENCE_BEHAVIOUR: Final = "sequence_behaviour"
SEQUENCE_GAP: Final = "sequence_gap"
SEQUENCE_AGE: Final = "sequence_age"
SEQUENCE_DWELL: Final = "sequence_dwell"
HISTORY_ITEM: Final = "history_item"
HISTORY_PURCHASES: Final = "history_purchases"
USER: Final = "user"
CANDIDATE_ITEM: Final = "candidate_item"
CANDIDATE_CATEGORY: Final = "candidate_category"
CANDIDATE_USER: Final = "candidate_user"
CANDIDATE_STATS: Final = "candidate_stats"

SCORE: Final = "score"
ATTENTION: Final = "attention"

PURCHASES: Final = ITEM_COLUMNS.index("purchases")
#: H: the latest items are read; bounds the input of users who bought thousands.
HISTORY_LENGTH: Final = 200

Inputs = dict[str, NDArray[np.generic]]


def stat_columns(window_days: Many[int]) -> tuple[str, ...]:
    """Names of ``candidate_stats``: what all users did with the candidate lately, and its price (minor units)."""
    pairs = [(behaviour, measure) for behaviour in ("interaction", "purchase") for measure in ("count", "users")]
    return (*(item_window_column(*pair, days) for pair in pairs for days in window_days), PRICE)


def user_columns(window_days: Many[int]) -> tuple[str, ...]:
    """Names of ``user``: the windows, today's count per behaviour, the user's habits."""
    counts = user_count_columns(tuple(window_days))
    return (*counts, *(f"today_{behaviour}" for behaviour in WINDOW_BEHAVIOURS), *HABIT_COLUMNS)


def shapes(
    sequence_length: int, window_days: Many[int], half_life_days: Many[int]
) -> dict[str, tuple[tuple[int | None, ...], str]]:
    """Shape and dtype of every input; None stands for B and K."""
    steps, pair, stat = sequence_length, len(pair_columns(half_life_days)), len(stat_columns(window_days))
    ids = (SEQUENCE_ITEM, SEQUENCE_CATEGORY, SEQUENCE_BEHAVIOUR)
    return {
        **dict.fromkeys(ids, ((None, steps), "int32")),
        **dict.fromkeys((SEQUENCE_GAP, SEQUENCE_AGE, SEQUENCE_DWELL), ((None, steps), "float32")),
        HISTORY_ITEM: ((None, HISTORY_LENGTH), "int32"),
        HISTORY_PURCHASES: ((None, HISTORY_LENGTH), "float32"),
        USER: ((None, len(user_columns(window_days))), "float32"),
        CANDIDATE_ITEM: ((None, None), "int32"),
        CANDIDATE_CATEGORY: ((None, None), "int32"),
        CANDIDATE_USER: ((None, None, pair), "float32"),
        CANDIDATE_STATS: ((None, None, stat), "float32"),
    }


def stats_table(
    items: Many[str], columns: Mapping[str, ArrayLike], vocabulary: Vocabulary, window_days: Many[int]
) -> Floats:
    """``log1p`` of the item columns by item index, shape (item_rows, I); an absent item is all zeros.

    Args:
        items: item ids, n of them.
        columns: for each name of ``stat_columns`` n values, zero where a window has expired.
    """
    table = np.zeros((vocabulary.item_rows, len(stat_columns(window_days))), dtype=np.float32)
    values = [np.log1p(np.asarray(columns[name], dtype=np.float64)) for name in stat_columns(window_days)]
    table[vocabulary.encode_items(items)] = np.stack(values, axis=1)
    table[:FIRST] = 0.0
    return table


@dataclass(frozen=True)
class Prepared:
    """What of a state does not depend on candidates: its sequence, shapes (T,), ``user`` (U,), and past.

    The history's two columns are part of the past, and padded when batches are made.
    """

    sequence: Inputs
    user: Floats
    past: Past


def prepare(state: UserState, vocabulary: Vocabulary, sequence_length: int) -> Prepared:
    """The candidate-free half of ``encode``; training keeps it, so that a state is read once."""
    past = past_of(state, vocabulary)
    return Prepared(_encode_sequence(state, vocabulary, sequence_length), _user_vector(state, past), past)


def assemble(prepared: Many[Prepared], candidates: Indices, stats: Many[Floats], vocabulary: Vocabulary) -> Inputs:
    """The other half of ``encode``: B prepared states and their candidates."""
    names = prepared[0].sequence
    return {
        **{name: np.stack([one.sequence[name] for one in prepared]) for name in names},
        **_histories([one.past for one in prepared]),
        USER: np.stack([one.user for one in prepared]),
        CANDIDATE_ITEM: candidates.astype(np.int32),
        CANDIDATE_CATEGORY: vocabulary.category_of_item[candidates],
        CANDIDATE_USER: pairs([one.past for one in prepared], candidates, vocabulary),
        CANDIDATE_STATS: np.stack([table[row] for table, row in zip(stats, candidates, strict=True)]),
    }


def encode(
    states: Many[UserState], candidates: Indices, stats: Many[Floats], vocabulary: Vocabulary, sequence_length: int
) -> Inputs:
    """Arrays for B users and their candidates.

    Args:
        states: B states, each at its moment.
        candidates: item indices, shape (B, K); 0 is padding.
        stats: per user, the item windows as of its moment, shape (item_rows, I) by item index;
            the same array may stand for many users.
        vocabulary: of the model that will read them.
        sequence_length: T; the latest events are kept.
    """
    return assemble([prepare(state, vocabulary, sequence_length) for state in states], candidates, stats, vocabulary)


def _histories(pasts: Many[Past]) -> Inputs:
    items = np.zeros((len(pasts), HISTORY_LENGTH), dtype=np.int32)
    purchases = np.zeros((len(pasts), HISTORY_LENGTH), dtype=np.float32)
    for row, past in enumerate(pasts):
        kept = past.items[:HISTORY_LENGTH]
        items[row, : len(kept)] = kept
        purchases[row, : len(kept)] = past.item_values[:HISTORY_LENGTH, PURCHASES]
    return {HISTORY_ITEM: items, HISTORY_PURCHASES: purchases}


def _user_vector(state: UserState, past: Past) -> Floats:
    counted = [state.windows[name] for name in user_count_columns(state.window_days)]
    counts = np.array([*counted, *state.today.values()], dtype=np.float64)
    return np.concatenate([np.log1p(np.maximum(counts, 0.0)), past.habits]).astype(np.float32)


def _encode_sequence(state: UserState, vocabulary: Vocabulary, length: int) -> Inputs:
    sequence = state.sequence
    times = np.array(sequence.times_us[-length:], dtype=np.int64)
    before = np.concatenate([times[:1], times[:-1]])
    columns = {
        SEQUENCE_ITEM: vocabulary.encode_items(sequence.items[-length:]),
        SEQUENCE_CATEGORY: vocabulary.encode_categories(sequence.categories[-length:]),
        SEQUENCE_BEHAVIOUR: encode_behaviours(sequence.types[-length:]),
        SEQUENCE_GAP: days_between(times, before),
        SEQUENCE_AGE: days_between(state.moment_us, times),
        SEQUENCE_DWELL: np.log1p(np.array(sequence.dwell_ms[-length:], dtype=np.float64) / 1000).astype(np.float32),
    }
    return {name: _padded(column, length) for name, column in columns.items()}


def _padded(column: NDArray[np.generic], length: int) -> NDArray[np.generic]:
    padded = np.zeros(length, dtype=column.dtype)
    padded[: len(column)] = column
    return padded
