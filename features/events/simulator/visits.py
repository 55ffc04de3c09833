"""Visits that follow from interests: an interest of decay λ brings them after delays of density λ·exp(-λt)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time

import numpy as np

from features.events.simulator.interests import Interests
from features.events.simulator.shop import Floats, Ints, Shop, Truth


@dataclass(frozen=True)
class Visits:
    """Visits in order of time; all of one length.

    Attributes:
        user: number of the user.
        category: what it is about.
        at: days since the shop's first day.
        interest: place of the interest that it follows, -1: a stray.
    """

    user: Ints
    category: Ints
    at: Floats
    interest: Ints

    def __len__(self) -> int:
        return len(self.user)

    def where(self, chosen: Ints) -> Visits:
        return Visits(self.user[chosen], self.category[chosen], self.at[chosen], self.interest[chosen])


def draw_visits(shop: Shop, truth: Truth, interests: Interests, draw: np.random.Generator) -> Visits:
    """Each interest brings a Poisson number of visits; hours and days that are quiet keep fewer of them."""
    usual = _likely(shop, np.arange(shop.days * 24) / 24).mean()
    cause = np.repeat(np.arange(len(interests)), draw.poisson(shop.visits_per_interest / usual, len(interests)))
    category = interests.category[cause]
    at = interests.began[cause] + draw.exponential(1 / truth.decay[category])
    visits = Visits(interests.user[cause], category, at, cause)
    inside = np.flatnonzero((at >= 0) & (at < shop.days))
    visits = visits.where(inside[draw.random(len(inside)) < _likely(shop, at[inside])])
    visits = visits.where(np.argsort(visits.at, kind="stable"))
    stray = draw.random(len(visits)) < shop.strays
    anything = draw.choice(shop.categories, len(visits), p=truth.prior)
    return Visits(
        visits.user, np.where(stray, anything, visits.category), visits.at, np.where(stray, -1, visits.interest)
    )


def _likely(shop: Shop, at: Floats) -> Floats:
    """How busy the shop is, 1 in an evening hour of a weekend in late December."""
    began = datetime.combine(shop.start, time(), UTC)
    weekday = (began.weekday() + at.astype(np.int64)) % 7
    hour = 1 + shop.season * np.cos(2 * np.pi * (at % 1 - 20 / 24))
    week = 1 + shop.season * (weekday >= 5)
    year = 1 + shop.season * np.cos(2 * np.pi * (began.timetuple().tm_yday + at - 355) / 365)
    found: Floats = hour * week * year / (1 + shop.season) ** 3
    return found
