"""Latent interests of users: when each begins, and in which category."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from features.events.simulator.shop import Floats, Ints, Shop, Truth

#: Half-lives before the first day for which interests are drawn, so that the log does not begin with nobody
#: interested in anything: after so many 3 % are left.
_WARM_HALF_LIVES: Final = 5


@dataclass(frozen=True)
class Interests:
    """Interests of users ``first`` and following, by user and time; all of one length.

    Attributes:
        user: number of the user.
        category: number of the category.
        began: days since the shop's first day, negative: before it.
    """

    user: Ints
    category: Ints
    began: Floats

    def __len__(self) -> int:
        return len(self.user)


def draw_interests(shop: Shop, truth: Truth, users: range, draw: np.random.Generator) -> Interests:
    """A user's interests begin at random (Poisson); each category follows the one before by ``migration``."""
    warm = _WARM_HALF_LIVES * shop.half_life_days[1]
    new = draw.random(len(users)) < shop.new_users
    joined = np.where(new, draw.uniform(0, shop.days, len(users)), -warm)
    counts = draw.poisson((shop.days - joined) * shop.interests_per_month / 30)
    of_user = np.repeat(np.arange(len(users)), counts)
    began = draw.uniform(joined[of_user], shop.days)
    began = began[np.lexsort((began, of_user))]
    return Interests(of_user + users.start, _chain(truth, counts, draw), began)


def strength(truth: Truth, interests: Interests, user: int, day: float) -> Floats:
    """How much ``user`` wants each category at a moment: Σ exp(-λ·age) over its interests. Shape (C,)."""
    own = (interests.user == user) & (interests.began <= day)
    category = interests.category[own]
    left = np.exp(-truth.decay[category] * (day - interests.began[own]))
    return np.bincount(category, left, minlength=len(truth.prior)).astype(np.float64)


def _chain(truth: Truth, counts: Ints, draw: np.random.Generator) -> Ints:
    """Categories of all interests, those of a user in order: step by step for all users at once."""
    category = np.empty(counts.sum(), dtype=np.int64)
    first = np.cumsum(counts) - counts
    rows = np.cumsum(truth.migration, axis=1)
    for step in range(int(counts.max(initial=0))):
        going = np.flatnonzero(counts > step)
        place = first[going] + step
        odds = rows[category[place - 1]] if step else np.cumsum(truth.prior)[None, :]
        # the last bound is 1 but for rounding
        category[place] = (draw.random(len(going))[:, None] > odds[:, :-1]).sum(axis=1)
    return category
