"""Answers of a running API, held against the lake: what agrees, what was planted, and what came late."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pyarrow.parquet as pq
import pytest
from sqlalchemy import Engine, delete, update

from dags import steps
from features.build import build
from features.events.arrivals import take_day
from features.events.ingest import ingest
from features.events.landing_folder import skip
from features.events.publish import publish
from features.store.materialise import materialise
from features.store.repository import open_store
from features.views import USER_INTEREST, USER_ITEMS, interest_column, views_of
from features.window_views import USER_WINDOWS
from infra.database import create_databases, engine, migrate
from infra.errors import FeatureError, SkewError
from infra.partitions import Span
from infra.served import served_between
from infra.services import start_services, stop_services
from infra.settings import Settings
from infra.tables import inbox, served
from serving.app import create_app
from validation.skew import check
from validation.skew_report import SkewReport, last_report

pytestmark = pytest.mark.integration

HISTORY = Span(date(2010, 12, 6), date(2010, 12, 10))
DAY = date(2010, 12, 10)
MOMENT = datetime(2010, 12, 10, 9, tzinfo=UTC)
DELIVERED = datetime(2010, 12, 11, 1, tzinfo=UTC)
USERS = tuple(f"user{number}" for number in range(8))
LATE, ELSEWHERE, POSTING = USERS[5], USERS[6], USERS[7]
POSTS = [
    {"user_id": POSTING, "item_id": "mug1", "event_type": "purchase", "event_id": "s-1", "quantity": 1, "price": 250},
    {"user_id": POSTING, "item_id": "mug2", "event_type": "view", "event_id": "s-2", "dwell_ms": 30_000},
    {"user_id": POSTING, "event_type": "search", "event_id": "s-3"},
    {"user_id": "new", "item_id": "mug3", "event_type": "cart", "event_id": "s-4"},
    {"user_id": "teller", "item_id": "pot", "event_type": "view", "event_id": "s-5"},
]


def event(day: date, user: int, hour: int = 10, **changed: Any) -> dict[str, Any]:
    moment = datetime(day.year, day.month, day.day, hour, user, tzinfo=UTC)
    made = {"user_id": USERS[user], "item_id": f"mug{user}", "event_type": "purchase", "price": 250, "quantity": 1}
    return {**made, "occurred_at": moment.isoformat(), "category_path": f"mug {user % 3}", **changed}


def write_events(path: Path, events: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(one) + "\n" for one in events), encoding="utf-8")
    return path


@dataclass
class House:
    """A shop whose API stands at ``MOMENT``; ``later`` is the next day, when the log of ``DAY`` is in.

    ``online``: the rows that the API reads, some of which the late row has changed in the lake since.
    """

    settings: Settings
    later: Settings
    database: Engine
    running: Callable[..., Any]
    until: Callable[..., None]
    online: dict[str, pd.DataFrame] = field(default_factory=dict)

    def ask(self, *users: str, post: list[dict[str, Any]] | None = None, **changed: Any) -> None:
        """Ask for everybody's recommendations, after posting, and wait until what was known is written down."""
        app = create_app(self.settings.model_copy(update=changed))
        with self.running(app) as port, httpx.Client(timeout=30, trust_env=False) as client:
            client.base_url = f"http://127.0.0.1:{port}"
            self.until(lambda: client.get("/readyz").json()["parts"]["features"] == "ok", 60)
            if post:
                assert client.post("/v1/events", json=post).status_code == 202
            for user in users:
                assert client.get(f"/v1/users/{user}/recommendations").json()["fallback"] == "no_model"
            self.until(lambda: counted(client) >= len(users) * (changed.get("skew_sample_share", 1.0) > 0))

    def check(self, day: date = DAY) -> SkewReport:
        return check(self.later, self.database, day, DELIVERED)

    def kept(self) -> list[Any]:
        return served_between(self.database, MOMENT - timedelta(days=2), MOMENT + timedelta(days=2))

    def put_online(self, rows: dict[str, pd.DataFrame]) -> None:
        """As a materialisation does, before it says how far it has come."""
        for view, content in rows.items():
            open_store(self.settings).write_to_online_store(view, content)

    def rows(self, day: date) -> dict[str, pd.DataFrame]:
        """What the lake has for the end of a day."""
        views = [view.name for view in views_of(self.settings) if view.entity == "user_id"]
        return {view: pq.read_table(self.settings.lake.feature(view, day)).to_pandas() for view in views}


def counted(client: httpx.Client) -> float:
    """How many answers have been kept, or turned away."""
    lines = [line for line in client.get("/metrics").text.splitlines() if line.startswith("penchant_samples_total{")]
    return sum(float(line.rpartition(" ")[2]) for line in lines)


@pytest.fixture(scope="module")
def house(
    short_folder: Path, make_settings: Callable[..., Settings], running_app: Any, eventually: Any
) -> Iterator[House]:
    """History built and online; then a day of posts, of which the log is delivered the day after with a late row."""
    chosen = {"api_poll_seconds": 0.1, "source": "canonical", "skew_sample_share": 1.0, "clock": MOMENT.isoformat()}
    settings = make_settings(short_folder / "skew", **chosen)
    later = settings.model_copy(update={"clock": DELIVERED.isoformat()})
    try:
        start_services(settings)
        create_databases(settings)
        migrate(settings)
        load(settings)
        database = engine(settings)
        found = House(settings, later, database, running_app, eventually)
        found.online = found.rows(date(2010, 12, 9))
        found.ask(POSTING, post=POSTS)
        deliver(later, database)
        yield found
        database.dispose()
    finally:
        stop_services(settings)


def load(settings: Settings) -> None:
    log = [event(day, user) for day in HISTORY.days() for user in range(len(USERS))]
    path = write_events(settings.lake.landing_history("canonical") / "events.jsonl", log)
    known = datetime(2010, 12, 10, 1, tzinfo=UTC)
    manifest = ingest(settings, "canonical", [path], HISTORY, bulk=True, delivered_at=known)
    publish(settings, [manifest.delivery_id], gated=False)
    build(settings, HISTORY)
    materialise(settings, HISTORY)


def deliver(later: Settings, database: Engine) -> None:
    """The day's log: what was posted, one event that was not and tells what a pot is, and one of two days before."""
    day_file = later.lake.landing_day("canonical", DAY) / "events.jsonl"
    write_events(
        day_file, [event(DAY, 6, hour=8, item_id="pot", category_path="kettle"), event(date(2010, 12, 8), 5, hour=12)]
    )
    deliveries = [taken.delivery_id for taken in take_day(later, "canonical", DAY, inbox=database)]
    publish(later, deliveries, gated=False)
    assert steps.build(later, Span.of_day(DAY))["reissued"] == ["2010-12-08", "2010-12-09"]


@pytest.fixture
def shop(house: House) -> House:
    """With no answers kept."""
    with house.database.begin() as connection:
        connection.execute(delete(served))
    return house


def test_what_was_answered_is_what_the_lake_says(shop: House) -> None:
    """At two moments of the day, of users with and without a past, with and without events of the day."""
    for hours in (0, 6):
        shop.ask(*USERS, "new", "nobody", clock=(MOMENT + timedelta(hours=hours)).isoformat())
    report = shop.check()
    assert (report.samples, report.compared, report.different) == (20, 20, 0)
    assert report.values == 20 * len(report.features) > 20 * 100
    assert (report.behind, report.unseen) == (0, 2)
    assert not report.skewed
    posting, afternoon = [one.features for one in shop.kept() if one.user_id == POSTING]
    assert posting["sequence_items"][-2:] == ["mug1", "mug2"]
    assert posting["today_purchase"] == 1
    faded = [one / other for one, other in zip(afternoon["interest_7d"], posting["interest_7d"], strict=True)]
    assert faded == pytest.approx([2 ** (-0.25 / 7)] * len(faded))


def test_an_event_that_came_after_the_answer_is_no_skew(shop: House) -> None:
    """It is held against the rows as they were known, and wrong if it had other ones: those of now, or none."""
    shop.ask(LATE, ELSEWHERE)
    report = shop.check()
    assert (report.compared, report.different, report.explained) == (2, 0, {})
    [late] = [one for one in shop.kept() if one.user_id == LATE]
    [revision] = shop.settings.lake.feature_folder(USER_ITEMS).glob("dt=2010-12-09.known=*.parquet")
    [now] = [row for row in pq.read_table(revision).to_pylist() if row["user_id"] == LATE]
    assert now["history_times"] != late.features["history_times"]
    planted = {**late.features, "history_times": now["history_times"]}
    with shop.database.begin() as connection:
        connection.execute(update(served).where(served.c.user_id == LATE).values(features=planted))
    assert [one.feature for one in shop.check().wrong] == ["history_times"]


def test_more_posted_events_than_answers_see_are_told(shop: House, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.ask(POSTING, USERS[0])
    monkeypatch.setattr(Settings, "live_limit", 1)
    report = check(shop.later, shop.database, DAY, DELIVERED)
    assert (report.compared, report.explained["crowded"].answers) == (1, 1)


def test_answers_older_than_the_inbox_are_not_compared(shop: House) -> None:
    shop.ask(POSTING)
    with pytest.raises(FeatureError, match=r"1 of the answers .* the inbox keeps 30 days"):
        check(shop.later, shop.database, DAY, MOMENT + timedelta(days=30))


def test_a_category_that_is_told_after_the_event_is_no_skew(shop: House) -> None:
    shop.ask("teller")
    report = shop.check()
    assert (report.compared, set(report.explained)) == (0, {"told"})
    # the category in the sequence, in the interest and in its three profiles
    assert report.explained["told"].different == 6


def test_a_wrong_half_life_online_is_caught(shop: House, tmp_path: Path) -> None:
    shop.put_online({USER_INTEREST: built_otherwise(shop.settings, tmp_path / "planted")})
    try:
        shop.ask(*USERS[:4], "new")
        report = shop.check()
    finally:
        shop.put_online(shop.online)
    true, planted = (4 * sum(2 ** (-day / days) for day in range(4)) for days in (7, 5))
    elapsed = 23 / 24  # days since user0 came last; user3 came three minutes later
    [wrong] = report.wrong
    assert (wrong.feature, wrong.compared, wrong.different) == (interest_column(7), 5, 4)
    assert wrong.relative == pytest.approx(1 - planted / true)
    assert wrong.example is not None
    assert (wrong.example.user_id, wrong.example.moment) == ("user0", MOMENT)
    assert wrong.example.expected == pytest.approx(true * 2 ** (-elapsed / 7))
    assert wrong.example.served == pytest.approx(planted * 2 ** (-elapsed / 7))
    assert wrong.absolute == pytest.approx((true - planted) * 2 ** (-(elapsed - 3 / 1440) / 7))
    with pytest.raises(SkewError, match=r"interest_7d \(4\).*2010-12-10\.md"):
        report.insist(shop.later.lake)
    assert last_report(shop.later.lake, "interest_v1") == report


def built_otherwise(settings: Settings, home: Path) -> pd.DataFrame:
    """The last rows of interest of a build with five days in place of seven."""
    shutil.copytree(settings.lake.root, home / "lake")
    other = settings.model_copy(update={"home": home, "half_life_days": (1, 5, 30, 90)})
    shutil.rmtree(other.lake.root / "features")
    shutil.rmtree(other.lake.root / "tiles")
    build(other, HISTORY)
    rows = pq.read_table(other.lake.feature(USER_INTEREST, date(2010, 12, 9))).to_pandas()
    return rows.rename(columns={name: name.replace("_5d", "_7d") for name in rows.columns})


def test_rows_on_their_way_online_are_right(shop: House) -> None:
    """After midnight the day before is built: answers still have the rows before it, then some of its rows."""
    after = DELIVERED + timedelta(hours=1)
    shop.ask(*USERS, clock=after.isoformat())
    windows = shop.rows(DAY)[USER_WINDOWS]
    shop.put_online({USER_WINDOWS: windows})
    try:
        shop.ask(*USERS, clock=after.isoformat())
        close_without_events(shop, after.date())
        report = shop.check(after.date())
    finally:
        shop.put_online(shop.online)
    assert (report.samples, report.behind, report.compared, report.different) == (16, 16, 16, 0)
    bought = [one.features["purchase_count_1d"] for one in shop.kept() if one.user_id == USERS[0]]
    assert sorted(bought) == [0, 1]  # on the tenth nothing, on the ninth once


def close_without_events(shop: House, day: date) -> None:
    settings = shop.later.model_copy(update={"clock": (DELIVERED + timedelta(days=1)).isoformat()})
    skip(settings, "canonical", Span.of_day(day), "nothing happened")
    publish(settings, [taken.delivery_id for taken in take_day(settings, "canonical", day)], gated=False)


def test_an_answer_that_missed_a_posted_event_is_caught(shop: House) -> None:
    shop.ask(POSTING)
    [right] = shop.kept()
    before = {"seen": [], "features": {**right.features, "today_view": 0}}
    with shop.database.begin() as connection:
        connection.execute(update(served).values(**before))
        connection.execute(update(inbox).values(received_at=MOMENT - timedelta(minutes=1)))
    report = shop.check()
    assert [(one.feature, one.absolute) for one in report.wrong] == [("today_view", 1.0)]


def test_an_event_that_the_lake_refused_is_no_skew(shop: House) -> None:
    extra = {"user_id": USERS[1], "item_id": "mug4", "event_type": "view", "event_id": "refused"}
    shop.ask(USERS[1], post=[extra])
    report = shop.check()
    assert (report.compared, report.explained["refused"].answers) == (0, 1)
    assert report.explained["refused"].different > 0


def test_a_feature_that_was_not_served_is_a_difference(shop: House) -> None:
    shop.ask(USERS[2])
    [right] = shop.kept()
    right.features.pop("view_count_7d")
    with shop.database.begin() as connection:
        connection.execute(update(served).values(features=right.features))
    assert [one.feature for one in shop.check().wrong] == ["view_count_7d"]


def test_a_day_keeps_no_more_than_it_may_and_a_share_of_none_keeps_nothing(shop: House) -> None:
    shop.ask(*USERS, skew_samples_a_day=3)
    assert len(shop.kept()) == 3
    shop.ask(*USERS, skew_sample_share=0.0)
    assert len(shop.kept()) == 3
