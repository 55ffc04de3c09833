"""A simulated shop is what its truth says: decay, migration, rates, seasons, newcomers; and it can be taken in."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from features.events.by_hand import take_files
from features.events.publish import publish
from features.events.simulator import shop as shops
from features.events.simulator import simulate as writing
from features.events.simulator.interests import Interests, strength
from features.events.simulator.shop import Shop, truth_of
from features.events.simulator.simulate import simulate
from infra.errors import SettingsError
from validation.partition_gate import check

pytestmark = pytest.mark.thorough  # seconds in sum

SIGMAS = 5
Ask = Callable[[str], list[Any]]


def opened(out: Path) -> Ask:
    """Asks SQL over ``log``, ``items``, ``interests`` and ``visits``; days are counted as in the truth."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    start = json.loads((out / "truth" / "shop.json").read_text())["shop"]["start"]
    files = {"items": "log/items", "interests": "truth/interests", "visits": "truth/visits"}
    for name, path in files.items():
        connection.execute(f"CREATE VIEW {name} AS FROM read_parquet('{out}/{path}.parquet')")
    connection.execute(f"""
        CREATE VIEW log AS
        SELECT *, (epoch_us(occurred_at) - epoch_us(TIMESTAMPTZ '{start} 00:00:00+00')) / 86400e6 AS day
        FROM read_parquet('{out}/log/dt=*/events.parquet', hive_partitioning = false)
    """)
    return lambda query: connection.execute(query).fetchall()


@pytest.fixture(scope="module")
def even(tmp_path_factory: pytest.TempPathFactory) -> tuple[Shop, Ask]:
    """Four months of a shop without seasons whose interests fade in days."""
    shop = Shop(users=10_000, items=300, categories=6, days=120, half_life_days=(1, 6), season=0, strays=0)
    out = tmp_path_factory.mktemp("even") / "shop"
    simulate(shop, out)
    return shop, opened(out)


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> tuple[Shop, Path, Ask]:
    """A month of a shop with everything."""
    shop = Shop(users=4_000, items=500, days=30)
    out = tmp_path_factory.mktemp("busy") / "shop"
    simulate(shop, out)
    return shop, out, opened(out)


def test_visits_follow_interests_after_the_planted_decay(even: tuple[Shop, Ask]) -> None:
    shop, ask = even
    truth = truth_of(shop)
    # those that have had ten half-lives: nothing to speak of is cut off
    found = dict(
        ask("""
        SELECT category, 1 / avg(at_day - interest_began_day) FROM visits
        WHERE interest_began_day BETWEEN 0 AND 60 GROUP BY ALL""")
    )
    assert [found[category] for category in range(shop.categories)] == pytest.approx(truth.decay, rel=0.05)


def test_each_interest_brings_as_many_visits_as_planted(even: tuple[Shop, Ask]) -> None:
    shop, ask = even
    [[visits, interests]] = ask("""
        SELECT (SELECT count(*) FROM visits WHERE interest_began_day BETWEEN 0 AND 60),
            (SELECT count(*) FROM interests WHERE began_day BETWEEN 0 AND 60)""")
    assert visits / interests == pytest.approx(shop.visits_per_interest, rel=0.02)


def test_interests_migrate_as_planted(even: tuple[Shop, Ask]) -> None:
    shop, ask = even
    truth, counts = truth_of(shop), np.zeros((shop.categories, shop.categories))
    for before, after, count in ask("""
        WITH pairs AS (SELECT lag(category) OVER (PARTITION BY user_id ORDER BY began_day) AS before, category AS after
            FROM interests)
        SELECT before, after, count(*) FROM pairs WHERE before IS NOT NULL GROUP BY ALL"""):
        counts[before, after] = count
    total = counts.sum(axis=1, keepdims=True)
    error = SIGMAS * np.sqrt(truth.migration * (1 - truth.migration) / total)
    assert (np.abs(counts / total - truth.migration) <= error).all()


def test_behaviours_follow_at_the_planted_rates(even: tuple[Shop, Ask]) -> None:
    _, ask = even
    # of visits a month before the end, so that what follows days later is there
    counts = dict(
        ask("""
        SELECT event_type, count(*) FROM log
        WHERE session_id IN (SELECT session_id FROM log GROUP BY session_id HAVING min(day) < 90) GROUP BY ALL""")
    )
    for kind, (after, rate) in shops.RATES.items():
        error = SIGMAS * (rate * (1 - rate) / counts[after]) ** 0.5
        assert counts[kind] / counts[after] == pytest.approx(rate, abs=error), kind


def test_a_visit_is_about_its_category_unless_it_is_a_stray(busy: Any) -> None:
    shop, _, ask = busy
    [[strays, visits]] = ask("SELECT count(*) FILTER (interest_began_day IS NULL), count(*) FROM visits")
    assert strays / visits == pytest.approx(shop.strays, abs=SIGMAS * (shop.strays / visits) ** 0.5)
    [[most]] = ask("""
        SELECT max(n) FROM (SELECT count(DISTINCT category_path[2]) AS n FROM log JOIN items USING (item_id)
            GROUP BY session_id)""")
    assert most == 1


def test_weekends_and_evenings_are_busier(busy: Any) -> None:
    shop, _, ask = busy
    [[week, weekend, night, evening]] = ask("""
        SELECT avg(n) FILTER (dayofweek(date) BETWEEN 1 AND 5), avg(n) FILTER (dayofweek(date) IN (0, 6)),
            sum(night), sum(evening)
        FROM (SELECT CAST(occurred_at AS DATE) AS date, count(*) AS n, count(*) FILTER (hour(occurred_at) = 8) AS night,
                count(*) FILTER (hour(occurred_at) = 20) AS evening
            FROM log WHERE event_type = 'impression' GROUP BY ALL)""")
    assert weekend / week == pytest.approx(1 + shop.season, rel=0.06)
    assert evening / night == pytest.approx((1 + shop.season) / (1 - shop.season), rel=0.15)


def test_new_items_and_users_come_in_time(busy: Any) -> None:
    shop, _, ask = busy
    [[early]] = ask("SELECT count(*) FROM log JOIN items USING (item_id) WHERE occurred_at < valid_from")
    assert early == 0
    [[launched]] = ask(f"SELECT count(*) FROM items WHERE valid_from > TIMESTAMPTZ '{shop.start} 00:00:00+00'")
    assert launched / shop.items == pytest.approx(shop.new_items, abs=0.08)
    [[settled]] = ask("SELECT count(DISTINCT user_id) FROM interests WHERE began_day < 0")
    assert settled / shop.users == pytest.approx(1 - shop.new_users, abs=0.03)


def test_guests_stay_so_and_others_have_a_user_from_their_login_on(busy: Any) -> None:
    _, _, ask = busy
    wrong = ask("""
        WITH logins AS (SELECT session_id, user_id, day AS login_day FROM log WHERE event_type = 'login')
        SELECT count(*) FROM log JOIN logins USING (session_id)
        WHERE (log.day < login_day) <> (log.user_id IS NULL) OR log.user_id <> logins.user_id""")
    assert wrong == [(0,)]
    [[guests]] = ask("""
        SELECT count(*) FILTER (known = 0) / count(*)
        FROM (SELECT count(user_id) AS known FROM log GROUP BY session_id)""")
    assert 0.07 < guests < 0.11  # a tenth, less those that log in


def test_the_strength_of_an_interest_halves_in_its_half_life() -> None:
    shop = Shop()
    truth = truth_of(shop)
    interests = Interests(np.array([7, 7, 8]), np.array([3, 3, 3]), np.array([0.0, 5.0, 0.0]))
    half_life = truth.half_life_days[3]
    expected = np.zeros(shop.categories)
    expected[3] = 0.5 ** (9 / half_life) + 0.5 ** (4 / half_life)
    assert strength(truth, interests, 7, 9.0) == pytest.approx(expected)
    assert strength(truth, interests, 7, -1.0).sum() == 0


def test_the_same_shop_gives_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shops, "BLOCK_EVENTS", 500)  # several blocks
    shop = Shop(users=300, items=50, days=5)
    assert shop.users / shop.block_users > 3
    found = [simulate(shop, tmp_path / name) for name in ("one", "two")]
    assert found[0] == found[1]
    files = [path.relative_to(tmp_path / "one") for path in sorted((tmp_path / "one").rglob("*")) if path.is_file()]
    assert len([path for path in files if path.suffix == ".parquet"]) == 5 + 3
    for path in files:
        assert (tmp_path / "one" / path).read_bytes() == (tmp_path / "two" / path).read_bytes(), path
    other = simulate(shop.model_copy(update={"seed": 2}), tmp_path / "three")
    assert other["events"] != found[0]["events"]
    ids = pa.concat_tables(
        pq.ParquetFile(path).read(["event_id"]) for path in (tmp_path / "one" / "log").glob("dt=*/*")
    )
    assert len(ids) == found[0]["events"] == len(ids["event_id"].unique())


@pytest.mark.parametrize(
    ("events", "sizes"), [(30_000, {"users": 5_000, "days": 60}), (60_000, {"users": 200, "days": 30})]
)
def test_about_as_many_events_as_asked_for(tmp_path: Path, events: int, sizes: dict[str, int]) -> None:
    drawn = simulate(Shop.with_events(events, **sizes), tmp_path / "shop")
    assert drawn["events"] == pytest.approx(events, rel=0.1)


def test_it_appears_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    shop = Shop(users=10, items=20, days=2)
    with monkeypatch.context() as patch:
        patch.setattr(writing, "_items", full)
        with pytest.raises(OSError, match="No space left"):
            simulate(shop, tmp_path / "shop")
    assert list(tmp_path.iterdir()) == []
    simulate(shop, tmp_path / "shop")
    with pytest.raises(SettingsError, match=r"shop exists already\. Name a folder that does not"):
        simulate(shop, tmp_path / "shop")


@pytest.mark.parametrize(
    ("sizes", "said"),
    [
        ({"users": 0}, "users"),
        ({"items": 5, "categories": 20}, "every category needs an item"),
        ({"half_life_days": (9, 3)}, "half_life_days must be the shortest and the longest"),
        ({"days": 0}, "days"),
        ({"visitors": 3}, "visitors"),
    ],
)
def test_a_shop_that_cannot_be_is_refused(sizes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Shop(**sizes)


def test_it_is_taken_in_without_a_refused_row(busy: Any, tmp_path: Path, make_settings: Any) -> None:
    _, out, ask = busy
    shop = make_settings(tmp_path / "home", clock="2025-02-10T00:00:00+00:00")
    manifest = take_files(shop, [str(out / "log")])
    assert (manifest.source, manifest.quarantined, manifest.duplicate) == ("canonical", 0, 0)
    assert [(manifest.accepted,)] == ask("SELECT count(*) FROM log")
    assert manifest.span.start == date(2025, 1, 1)
    assert check(shop, manifest.delivery_id, manifest.span).passed
    assert len(publish(shop, [manifest.delivery_id])) == 30
