"""What was planted in a drawn shop is found again in its features: fading, migration, rates of behaviour."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from features.build import build
from features.decay import DAY_US, carry
from features.events.by_hand import take_files
from features.events.publish import publish
from features.events.simulator.interests import Interests, strength
from features.events.simulator.shop import RATES, Shop, truth_of
from features.events.simulator.simulate import simulate
from features.versions import files_of
from features.views import USER_INTEREST, USER_SEQUENCE, interest_column
from features.window_views import USER_WINDOWS
from infra.moments import microseconds
from infra.partitions import Span, day_start
from infra.settings import Settings

pytestmark = pytest.mark.thorough

SIGMAS = 5
HALF_LIVES = (1, 7, 30, 90)
CATEGORIES = 6
#: Everybody is known and there from the first day on, and nobody strays: only what is planted is left.
PLAIN: dict[str, Any] = {
    "items": 60,
    "categories": CATEGORIES,
    "days": 25,
    **dict.fromkeys(("season", "strays", "new_users", "new_items", "guests", "logins"), 0.0),
}


@dataclass(frozen=True)
class Drawn:
    """A shop that was drawn, taken in and built."""

    shop: Shop
    settings: Settings
    out: Path

    @property
    def end_us(self) -> int:
        """The end of the last day."""
        return microseconds(day_start(self.shop.start, self.settings.zone)) + self.shop.days * DAY_US

    def last(self, view: str) -> list[dict[str, Any]]:
        """The last row of every user."""
        span = Span(self.shop.start, self.shop.start + timedelta(days=self.shop.days))
        rows: dict[str, dict[str, Any]] = {}
        for path in files_of(self.settings.lake, view, span):
            rows |= {row["user_id"]: row for row in pq.read_table(path).to_pylist()}
        return list(rows.values())


def number(name: str) -> int:
    """Of ``sim-u12`` and of ``category 12``."""
    return int(name.rpartition("category " if " " in name else "sim-u")[2])


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: Any, make_settings: Callable[..., Settings]) -> Callable[..., Drawn]:
    def make(**habits: Any) -> Drawn:
        shop, home = Shop(**PLAIN, **habits), tmp_path_factory.mktemp("planted")
        simulate(shop, home / "out")
        settings = make_settings(
            home, clock="2025-03-01T00:00:00+00:00", window_days=(1, 30), half_life_days=HALF_LIVES
        )
        taken = take_files(settings, [str(home / "out" / "log")])
        publish(settings, [taken.delivery_id], gated=False)
        build(settings, taken.span)
        return Drawn(shop, settings, home / "out")

    return make


@pytest.fixture(scope="module")
def bursts(drawn: Callable[..., Drawn]) -> Drawn:
    """Interests that come seldom and are gone within a day or two: what is wanted after a pause is the next one."""
    return drawn(users=500, half_life_days=(0.3, 0.3), interests_per_month=6, visits_per_interest=3)


def test_of_the_half_lives_the_planted_one_orders_interests_best(drawn: Callable[..., Drawn]) -> None:
    """Per user, over categories: strengths from the log beside the latent ones, which the log does not say.

    Visits are few for an interest. The more there are, the more the last ones alone tell of its strength now,
    and the best filter forgets faster than the interest does.
    """
    made = drawn(users=300, half_life_days=(7, 7), interests_per_month=45, visits_per_interest=0.7)
    truth, table = truth_of(made.shop), pq.read_table(made.out / "truth" / "interests.parquet")
    latent = Interests(*(table[name].to_numpy() for name in table.column_names))
    rows = made.last(USER_INTEREST)
    true = pd.DataFrame([strength(truth, latent, number(row["user_id"]), made.shop.days) for row in rows])
    found = {days: _agreement(_strengths(rows, days, made.end_us), true) for days in HALF_LIVES}
    best, second = sorted(found, key=lambda days: -found[days])[:2]
    assert best == 7, found
    assert found[best] > 0.4
    assert found[best] > found[second] + 0.015, found


def _strengths(rows: list[dict[str, Any]], days: int, moment_us: int) -> pd.DataFrame:
    """By row, in the order of the planted categories, as they are at a moment."""
    strengths = np.zeros((len(rows), CATEGORIES))
    for place, row in enumerate(rows):
        now = carry(row[interest_column(days)], moment_us - row["interest_as_of_us"], days)
        strengths[place, [number(name) for name in row["interest_categories"]]] = now
    return pd.DataFrame(strengths)


def _agreement(one: pd.DataFrame, other: pd.DataFrame) -> float:
    """The rank correlation of each row, on average over rows in which both say something."""
    return float(one.rank(axis=1).corrwith(other.rank(axis=1), axis=1).mean())


def test_migration_is_found_in_what_follows_a_pause(bursts: Drawn) -> None:
    """Five half-lives without an event part two interests. One in twenty brings no visit and is stepped over."""
    counts, truth = np.zeros((CATEGORIES, CATEGORIES)), truth_of(bursts.shop)
    for row in bursts.last(USER_SEQUENCE):
        places = [number(name) for name in row["sequence_categories"]]
        after_pause = np.flatnonzero(np.diff(row["sequence_times_us"]) > 5 * 0.3 * DAY_US)
        np.add.at(counts, ([places[at] for at in after_pause], [places[at + 1] for at in after_pause]), 1)
    assert counts.sum() > 1_000
    found = counts / counts.sum(axis=1, keepdims=True)
    distance = np.abs(found - truth.migration).sum(axis=1) / 2
    assert np.average(distance, weights=counts.sum(axis=1)) < 0.12
    # what says nothing of the interest before is much farther away
    regardless = np.abs(counts.sum(axis=0) / counts.sum() - truth.migration).sum(axis=1) / 2
    assert regardless.mean() > 0.25


@pytest.mark.parametrize("kind", ["favorite", "cart", "purchase"])
def test_rates_of_behaviours_are_found_in_the_windows(bursts: Drawn, kind: str) -> None:
    """One window holds all days; what follows within minutes of the last midnight is too little to tell."""
    after, rate = RATES[kind]
    rows = bursts.last(USER_WINDOWS)
    counts = {name: sum(row[f"{name}_count_30d"] for row in rows) for name in (kind, after)}
    assert counts[after] > 1_000
    error = SIGMAS * (rate * (1 - rate) / counts[after]) ** 0.5
    assert counts[kind] / counts[after] == pytest.approx(rate, abs=error)
