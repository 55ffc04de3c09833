"""The answers that are kept: so many of a shop day, for so long."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, delete

from infra.database import engine
from infra.served import Served, forget_served, keep, served_between
from infra.settings import Settings
from infra.tables import served

pytestmark = pytest.mark.integration

#: In Tokyo the tenth of December ends at three in the afternoon.
END = datetime(2012, 12, 10, 15, tzinfo=UTC)


@pytest.fixture
def shop(services: Settings) -> Settings:
    return services.model_copy(update={"timezone": "Asia/Tokyo", "skew_samples_a_day": 2})


@pytest.fixture
def database(services: Settings) -> Iterator[Engine]:
    """With nothing kept, before and after."""
    found = engine(services)
    for end in (False, True):
        with found.begin() as connection:
            connection.execute(delete(served))
        if not end:
            yield found
    found.dispose()


def answer(name: str, at: datetime) -> Served:
    features = {"view_count_7d": 3, "interest_7d": [0.1, 1e-30], "sequence_items": ["a'b", "ü"]}
    return Served(name, f"user {name}", at, at, at - timedelta(hours=9), [4, 2], "interest_v1", features)


def test_what_is_kept_comes_back_as_it_was(shop: Settings, database: Engine) -> None:
    one = answer("a", END)
    assert keep(database, shop, one)
    assert served_between(database, END, END + timedelta(microseconds=1)) == [one]
    assert served_between(database, END + timedelta(microseconds=1), END + timedelta(days=1)) == []
    assert not keep(database, shop, one)  # a request has one answer


def test_a_shop_day_keeps_its_bound(shop: Settings, database: Engine) -> None:
    moments = [END - timedelta(seconds=1), END - timedelta(hours=20), END - timedelta(hours=1), END, END]
    kept = [keep(database, shop, answer(str(place), at)) for place, at in enumerate(moments)]
    assert kept == [True, True, False, True, True]


def test_answers_go_when_they_had_their_time(shop: Settings, database: Engine) -> None:
    for name, age in (("old", 15), ("older", 20), ("young", 13)):
        keep(database, shop, answer(name, END - timedelta(days=age)))
    assert forget_served(shop, database, END, dry_run=True) == 2
    assert forget_served(shop.model_copy(update={"keep_served_days": 0}), database, END) == 0
    assert forget_served(shop.model_copy(update={"removals_a_run": 1}), database, END) == 1
    left = served_between(database, END - timedelta(days=30), END)
    assert [one.request_id for one in left] == ["old", "young"]
    assert forget_served(shop, database, END) == 1
