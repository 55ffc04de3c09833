"""Rankings without learning: what a model has to beat. Each reads the models' input dictionary.

Every baseline is made by ``make(name, ...)`` from plain numbers, so that validation can choose them,
and is exported as a bundle like any model.
"""

from __future__ import annotations

from collections.abc import Sequence as Many
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from features.inputs import (
    ATTENTION,
    CANDIDATE_ITEM,
    CANDIDATE_STATS,
    CANDIDATE_USER,
    SCORE,
    SEQUENCE_ITEM,
    stat_columns,
)
from features.pairs import pair_columns
from features.window_views import item_window_column

POPULAR: Final = "popular"
RECENT_POPULAR: Final = "recent-popular"
BUY_AGAIN: Final = "buy-again"
LAST_CATEGORY: Final = "last-category"

#: Popularity (log1p of users, below about 10) enters as a tie-breaker: less than any other difference.
TIE: Final = 1e-3
#: More than any other difference.
AHEAD: Final = 100.0


def popular(table: NDArray[np.float32]) -> Any:
    """Items by how many purchases the training days saw.

    Args:
        table: purchases by item index, shape (item_rows,).
    """
    import tensorflow as tf

    counts = tf.Variable(table, trainable=False, dtype=tf.float32)
    return _module(POPULAR, lambda inputs: tf.gather(counts, inputs[CANDIDATE_ITEM]), counts)


def recent_popular(window_days: Many[int], days: int) -> Any:
    """Items by how many users bought them in the window of ``days`` days."""
    return _module(RECENT_POPULAR, lambda inputs: _recent(inputs, window_days, days))


def buy_again(
    window_days: Many[int], half_life_days: Many[int], days: int, half_life: float, popularity: float = TIE
) -> Any:
    """The user's own items: purchases, faded by the age of the last one, and recent popularity.

    ``(1 + purchases) * 2^(-age / half_life) * (1 + buyers)^popularity``; an item never bought comes
    after all that were, by its buyers alone.

    Args:
        days: the window of recent popularity.
        half_life: in days; the longer, the more the count decides and the less recency.
        popularity: how much the recent buyers count; by default they only break ties.
    """
    import tensorflow as tf

    names = pair_columns(half_life_days)

    def score(inputs: dict[str, Any]) -> Any:
        pair = inputs[CANDIDATE_USER]
        purchases, age = (pair[:, :, names.index(name)] for name in ("purchases", "age"))
        strength = purchases - tf.math.expm1(age) * float(np.log(2.0) / half_life)
        bought = tf.cast(purchases > 0, tf.float32)
        return bought * (AHEAD + strength) + popularity * _recent(inputs, window_days, days)

    return _module(BUY_AGAIN, score)


def last_category(window_days: Many[int], half_life_days: Many[int], days: int) -> Any:
    """Items of the category of the user's last event, the recently popular first; then the rest."""
    column = pair_columns(half_life_days).index("is_last_category")

    def score(inputs: dict[str, Any]) -> Any:
        return AHEAD * inputs[CANDIDATE_USER][:, :, column] + _recent(inputs, window_days, days)

    return _module(LAST_CATEGORY, score)


def _recent(inputs: dict[str, Any], window_days: Many[int], days: int) -> Any:
    column = stat_columns(window_days).index(item_window_column("purchase", "users", days))
    return inputs[CANDIDATE_STATS][:, :, column]


def _module(name: str, score: Any, *variables: Any) -> Any:
    """A ``tf.Module`` that answers like every model, with attention zero."""
    import tensorflow as tf

    class Baseline(tf.Module):  # type: ignore[misc, name-defined, unused-ignore]
        def __init__(self) -> None:
            super().__init__(name=name.replace("-", "_"))
            self.kept = variables

        def __call__(self, inputs: dict[str, Any]) -> dict[str, Any]:
            scores = tf.cast(score(inputs), tf.float32)
            shape = tf.concat([tf.shape(scores), tf.shape(inputs[SEQUENCE_ITEM])[1:]], axis=0)
            return {SCORE: scores, ATTENTION: tf.zeros(shape, tf.float32)}

    return Baseline()
