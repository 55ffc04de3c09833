"""The one dictionary that every model reads, and the one that it answers with.

Shapes: B users, T sequence steps (padded behind), K candidates. Training, judging and answering all
come through ``encode``. Times enter as gaps, ``log1p`` of days, never as dates; counts as ``log1p``.

Inputs::

    sequence_item, sequence_category, sequence_behaviour   (B, T) int32, 0 behind the last event
    sequence_gap     (B, T) float32  log1p(days since the event before; 0 for the first)
    sequence_age     (B, T) float32  log1p(days from the event to the moment)
    sequence_dwell   (B, T) float32  log1p(seconds)
    user             (B, U) float32  user windows, then today's counts
    candidate_item, candidate_category                     (B, K) int32, 0 behind the last candidate
    candidate_user   (B, K, P) float32  this user and this candidate, see ``pair_columns``
    candidate_stats  (B, K, I) float32  the candidate's item windows and price, see ``stat_columns``

Outputs: ``score`` (B, K) float32, higher is better; ``attention`` (B, K, T) float32, how much each
event counted for each candidate (zeros for models without attention).
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence as Many
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from features.decay import DAY_US
from features.events.schema import PRICE
from features.state import UserState
from features.views import item_window_column
from features.vocabulary import FIRST, Indices, Vocabulary, encode_behaviours

SEQUENCE_ITEM: Final = "sequence_item"
SEQUENCE_CATEGORY: Final = "sequence_category"
SEQUENCE_BEHAVIOUR: Final = "sequence_behaviour"
SEQUENCE_GAP: Final = "sequence_gap"
SEQUENCE_AGE: Final = "sequence_age"
SEQUENCE_DWELL: Final = "sequence_dwell"
USER: Final = "user"
CANDIDATE_ITEM: Final = "candidate_item"
CANDIDATE_CATEGORY: Final = "candidate_category"
CANDIDATE_USER: Final = "candidate_user"
CANDIDATE_STATS: Final = "candidate_stats"

SCORE: Final = "score"
ATTENTION: Final = "attention"

Inputs = dict[str, NDArray[np.generic]]
Floats = NDArray[np.float32]


def pair_columns(half_life_days: Many[int]) -> tuple[str, ...]:
    """Names of ``candidate_user``: what this user did with this candidate and its category."""
    shares = tuple(f"category_share_{days}d" for days in half_life_days)
    return ("seen", "times", "purchases", "age", "is_last_category", *shares)


def stat_columns(window_days: Many[int]) -> tuple[str, ...]:
    """Names of ``candidate_stats``: what all users did with the candidate lately, and its price (minor units)."""
    pairs = [(behaviour, measure) for behaviour in ("interaction", "purchase") for measure in ("count", "users")]
    return (*(item_window_column(*pair, days) for pair in pairs for days in window_days), PRICE)


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
    return {
        **_encode_sequences(states, vocabulary, sequence_length),
        USER: np.stack([user_vector(state) for state in states]),
        CANDIDATE_ITEM: candidates.astype(np.int32),
        CANDIDATE_CATEGORY: vocabulary.category_of_item[candidates],
        CANDIDATE_USER: np.stack(
            [_pairs(state, row, vocabulary) for state, row in zip(states, candidates, strict=True)]
        ),
        CANDIDATE_STATS: np.stack([table[row] for table, row in zip(stats, candidates, strict=True)]),
    }


def user_vector(state: UserState) -> Floats:
    """``log1p`` of the windows and of today's counts, shape (U,)."""
    values = np.array([*state.windows.values(), *state.today.values()], dtype=np.float64)
    return np.log1p(np.maximum(values, 0.0)).astype(np.float32)


def days_between(later_us: int | NDArray[np.int64], earlier_us: int | NDArray[np.int64]) -> Floats:
    """``log1p`` of the days between two moments, never negative."""
    elapsed = np.maximum(np.asarray(later_us, dtype=np.float64) - np.asarray(earlier_us, dtype=np.float64), 0.0)
    return np.log1p(elapsed / DAY_US).astype(np.float32)


def _encode_sequences(states: Many[UserState], vocabulary: Vocabulary, length: int) -> Inputs:
    rows = [_encode_sequence(state, vocabulary, length) for state in states]
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}


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
    return {name: np.pad(column, (0, length - len(column))) for name, column in columns.items()}


def _pairs(state: UserState, candidates: Indices, vocabulary: Vocabulary) -> Floats:
    """What ``state`` knows about each candidate, shape (K, P), see ``pair_columns``."""
    history = np.zeros((vocabulary.item_rows, 4), dtype=np.float32)
    known = vocabulary.encode_items(state.history.items)
    history[known, 0] = 1.0
    history[known, 1] = np.log1p(np.array(state.history.times, dtype=np.float64))
    history[known, 2] = np.log1p(np.array(state.history.purchases, dtype=np.float64))
    history[known, 3] = days_between(state.moment_us, np.array(state.history.last_us, dtype=np.int64))
    history[:FIRST] = 0.0
    categories = vocabulary.category_of_item[candidates]
    last = vocabulary.encode_categories(state.sequence.categories[-1:])
    is_last = np.isin(categories, last[last >= FIRST]).astype(np.float32)
    return np.concatenate([history[candidates], is_last[:, None], _shares(state, vocabulary)[categories]], axis=1)


def _shares(state: UserState, vocabulary: Vocabulary) -> Floats:
    """Share of each category in the user's interest, shape (category_rows, half-lives)."""
    shares = np.zeros((vocabulary.category_rows, len(state.half_life_days)), dtype=np.float32)
    strengths = state.interest.at(state.moment_us, state.half_life_days)
    total = strengths.sum(axis=0)
    known = vocabulary.encode_categories(state.interest.categories)
    np.add.at(shares, known, np.divide(strengths, total, out=np.zeros_like(strengths), where=total > 0))
    shares[:FIRST] = 0.0
    return shares
