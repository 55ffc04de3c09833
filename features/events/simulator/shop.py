"""What a simulated shop is like, and the truth that its size and seed stand for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Draws are made for so many events at once: it bounds memory, and is part of what a seed stands for.
BLOCK_EVENTS: Final = 500_000

#: How many impressions a visit has beyond the first, on average.
FURTHER_IMPRESSIONS: Final = 4.0
#: Of what happens to an item: after which behaviour, and how often.
RATES: Final = {
    "view": ("impression", 0.3),
    "favorite": ("view", 0.05),
    "cart": ("view", 0.15),
    "purchase": ("cart", 0.4),
    "review": ("purchase", 0.2),
    "return": ("purchase", 0.05),
}
SEARCH_RATE: Final = 0.2  # of visits
#: Of an interest's followers: the same category, three neighbours, any.
_STAYS, _NEIGHBOURS, _ANY = 0.3, 0.5, 0.2
_NEIGHBOUR_COUNT: Final = 3


class Shop(BaseModel):
    """The size and the habits of a simulated shop."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    users: int = Field(10_000, ge=1, le=100_000_000)
    items: int = Field(2_000, ge=1, le=10_000_000)
    categories: int = Field(20, ge=2, le=1_000)
    start: date = date(2025, 1, 1)
    days: int = Field(60, ge=1, le=800, description="Each has a file that stays open.")
    seed: int = Field(1, ge=0, lt=1 << 63)
    interests_per_month: float = Field(4.0, gt=0, le=1_000, description="New interests of a user in 30 days.")
    visits_per_interest: float = Field(2.0, gt=0, le=1_000)
    half_life_days: tuple[float, float] = Field((2.0, 20.0), description="Those of all categories lie between.")
    strays: float = Field(0.1, ge=0, le=1, description="Share of visits that follow no interest.")
    season: float = Field(0.3, ge=0, le=0.9, description="How far hours, weekends and December differ.")
    new_users: float = Field(0.2, ge=0, le=1, description="Share of users who come after the first day.")
    new_items: float = Field(0.2, ge=0, le=1, description="Share of items that come after the first day.")
    guests: float = Field(0.1, ge=0, le=1, description="Share of visits without a user.")
    logins: float = Field(0.1, ge=0, le=1, description="Share of users' visits that begin before the login.")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        shortest, longest = self.half_life_days
        if not 0.05 <= shortest <= longest <= 3_650:
            raise ValueError("half_life_days must be the shortest and the longest, between 0.05 and 3650 days")
        if self.items < self.categories:
            raise ValueError("every category needs an item: items must not be fewer than categories")
        return self

    @classmethod
    def with_events(cls, events: int, **more: object) -> Self:
        """A shop with about so many events: its users take as many interests as that needs."""
        shop = cls.model_validate(more)
        once = shop.model_copy(update={"interests_per_month": 1.0})
        return cls.model_validate({**more, "interests_per_month": events / shop.users / once.events_per_user})

    @property
    def events_per_user(self) -> float:
        """On average, but for what would happen after the last day: a new user is there for half of the days."""
        months = self.days / 30 * (1 - self.new_users / 2)
        return self.interests_per_month * months * self.visits_per_interest * events_per_visit()

    @property
    def block_users(self) -> int:
        """Users whose events are drawn at once."""
        return max(1, min(self.users, int(BLOCK_EVENTS / self.events_per_user)))

    def generator(self, *place: int) -> np.random.Generator:
        """The random numbers of one place, whatever was drawn elsewhere."""
        return np.random.default_rng([self.seed, *place])


def events_per_visit() -> float:
    """Expected events of a visit of a known user."""
    per_impression = {"impression": 1.0}
    for behaviour, (after, rate) in RATES.items():
        per_impression[behaviour] = per_impression[after] * rate
    return (1 + FURTHER_IMPRESSIONS) * sum(per_impression.values()) + SEARCH_RATE


@dataclass(frozen=True)
class Truth:
    """What was planted.

    Attributes:
        decay: per category λ, a day: visits follow an interest after delays of density λ·exp(-λt). Shape (C,).
        prior: how often a category is a user's first interest. Shape (C,).
        migration: ``migration[a, b]``: how often b is the interest that follows a. Shape (C, C), rows sum to 1.
        category_of_item: shape (I,).
        weight_of_item: how often an item is shown among those of its category, relative. Shape (I,).
        launch_of_item: day from which on it is there, 0 or less: always. Shape (I,).
        price_of_item: minor units. Shape (I,).
    """

    decay: Floats
    prior: Floats
    migration: Floats
    category_of_item: Ints
    weight_of_item: Floats
    launch_of_item: Floats
    price_of_item: Ints

    @cached_property
    def half_life_days(self) -> Floats:
        found: Floats = np.log(2) / self.decay
        return found


def truth_of(shop: Shop) -> Truth:
    """The truth of a shop, drawn from its seed."""
    draw = shop.generator(0)
    shortest, longest = np.log(shop.half_life_days)
    half_lives = np.exp(draw.uniform(shortest, longest, shop.categories))
    prior = draw.dirichlet(np.full(shop.categories, 2.0))
    # the first items are those without which a category would be empty, and are always there
    of_item = np.concatenate(
        [np.arange(shop.categories), draw.choice(shop.categories, shop.items - shop.categories, p=prior)]
    )
    late = (draw.random(shop.items) < shop.new_items) & (np.arange(shop.items) >= shop.categories)
    return Truth(
        decay=np.log(2) / half_lives,
        prior=prior,
        migration=_migration(shop, prior, draw),
        category_of_item=of_item.astype(np.int64),
        weight_of_item=1.0 / draw.permutation(np.arange(1, shop.items + 1)),
        launch_of_item=np.where(late, draw.uniform(0, shop.days, shop.items), 0.0),
        price_of_item=np.maximum(1, draw.lognormal(np.log(2000), 0.8, shop.items)).astype(np.int64),
    )


def _migration(shop: Shop, prior: Floats, draw: np.random.Generator) -> Floats:
    migration = np.eye(shop.categories) * _STAYS + prior * _ANY
    for category, row in enumerate(migration):
        others = np.delete(np.arange(shop.categories), category)
        near = draw.choice(others, min(_NEIGHBOUR_COUNT, len(others)), replace=False)
        row[near] += _NEIGHBOURS * draw.dirichlet(np.full(len(near), 3.0))
    return migration
