"""Which answers are kept, and that keeping them never holds up or spoils an answer."""

from __future__ import annotations

from datetime import timedelta
from threading import Event
from uuid import uuid4

import pytest
from sqlalchemy import delete

from features.state import from_row
from features.state_table import values_of
from infra.database import engine
from infra.served import served_between
from infra.tables import served
from serving import samples
from serving.samples import Samples, sampled
from serving.state import Known

NOW_DAY = timedelta(days=1)


def test_the_same_request_is_always_kept_or_never():
    ids = [str(uuid4()) for _ in range(20_000)]
    kept = {one for one in ids if sampled(one, 0.01)}
    assert kept == {one for one in ids if sampled(one, 0.01)}
    assert 120 < len(kept) < 290  # 200 expected, 14 the standard deviation
    assert kept <= {one for one in ids if sampled(one, 0.1)}
    assert (any(sampled(one, 0) for one in ids), all(sampled(one, 1) for one in ids)) == (False, True)


@pytest.fixture
def whole(shop):
    """The shop, of which every answer is kept."""
    shop.settings = shop.settings.model_copy(update={"skew_sample_share": 1.0})
    return shop


@pytest.fixture
def kept(whole):
    """What is kept of a user; the table is empty before and after."""
    database, now = engine(whole.settings), whole.settings.shop_clock().now()
    with database.begin() as connection:
        connection.execute(delete(served))
    yield lambda: served_between(database, now - NOW_DAY, now + NOW_DAY)
    with database.begin() as connection:
        connection.execute(delete(served))
    database.dispose()


@pytest.mark.integration
def test_what_an_answer_knew_is_kept_under_the_id_of_its_request(whole, opened, kept, counted, eventually):
    with opened(whole) as client:
        event = {"user_id": "regular", "item_id": "i002", "event_type": "cart", "event_id": str(uuid4())}
        assert client.post("/v1/events", json=event).status_code == 202
        answers = [client.get(f"/v1/users/regular/{what}") for what in ("recommendations", "interest")]
        eventually(lambda: counted(client, 'penchant_samples_total{outcome="kept"}') == 2)
    found = {one.request_id: one for one in kept()}
    assert found.keys() == {answer.headers["x-request-id"] for answer in answers}
    [first, second] = found.values()
    assert first.features == second.features
    assert (first.user_id, first.feature_service, first.features["today_cart"]) == ("regular", "interest_v1", 1)
    assert first.features["sequence_items"] == ["i001", "i001", "i001", "i003", "i002"]
    assert first.moment == first.at + timedelta(microseconds=1)
    assert len(first.seen) == 1
    profile = {row["category"]: row["strengths"]["30d"] for row in answers[1].json()["categories"]}
    named = dict(zip(first.features["interest_categories"], first.features["interest_30d"], strict=True))
    assert named == pytest.approx(profile)


@pytest.mark.integration
def test_degraded_answers_are_not_kept(whole, opened, kept, counted, down, eventually):
    with opened(whole) as client:
        whole.store.error = down
        assert client.get("/v1/users/regular/recommendations").json()["fallback"] == "no_features"
        whole.store.error = None
        client.get("/v1/users/other/recommendations")
        eventually(lambda: counted(client, 'penchant_samples_total{outcome="kept"}') == 1)
    assert [one.user_id for one in kept()] == ["other"]


@pytest.mark.integration
def test_a_day_that_has_enough_keeps_no_more(whole, opened, kept, counted, eventually):
    whole.settings = whole.settings.model_copy(update={"skew_samples_a_day": 2})
    with opened(whole) as client:
        for _ in range(5):
            client.get("/v1/users/regular/recommendations")
        eventually(lambda: counted(client, 'penchant_samples_total{outcome="beyond_bound"}') == 3)
    assert len(kept()) == 2


@pytest.mark.integration
def test_without_postgresql_answers_come_and_the_samples_are_counted(whole, opened, counted, eventually):
    with opened(whole) as client:
        client.get("/v1/users/other/recommendations")  # from now on Valkey has what is live of this user
        with opened(whole, whole.without_postgres) as alone:
            answer = alone.get("/v1/users/other/recommendations").json()
            assert answer["fallback"] is None
            eventually(lambda: counted(alone, 'penchant_samples_total{outcome="failed"}') == 1)


@pytest.fixture
def known(api_settings):
    """What is known of nobody, by an answer that can be kept."""
    now = api_settings.shop_clock().now()
    state = from_row("u", {}, api_settings.window_days, api_settings.half_life_days)
    return Known(state, now, complete=True)


class Counts:
    """Stands for the metrics: how often each outcome was counted."""

    def __init__(self):
        self.samples, self.outcomes = self, {}

    def labels(self, outcome):
        self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1
        return self

    def inc(self):
        pass


@pytest.mark.integration
def test_a_database_that_hangs_holds_nobody_up_and_what_waits_is_bounded(api_settings, known, monkeypatch):
    entered, released, counts = Event(), Event(), Counts()

    def hang(*_):
        entered.set()
        return released.wait(30)

    monkeypatch.setattr(samples, "keep", hang)
    monkeypatch.setattr(samples, "WAITING", 3)
    whole = api_settings.model_copy(update={"skew_sample_share": 1.0})
    keeper = Samples(None, whole, counts)
    keeper.start()
    keeper.offer("first", known.as_of, known)
    assert entered.wait(10)
    for number in range(10):
        keeper.offer(str(number), known.as_of, known)
    assert counts.outcomes == {"dropped": 7}
    released.set()
    keeper.stop()
    assert counts.outcomes["kept"] + counts.outcomes["dropped"] == 11


def test_kept_values_are_numbers_texts_and_lists_alone(known):
    kinds = {type(value) for value in values_of(known.state).values()}
    assert kinds == {int, list}
