from __future__ import annotations

from uuid import uuid4

import pytest
from sqlalchemy import select

from infra.database import engine
from infra.tables import inbox

pytestmark = pytest.mark.integration


@pytest.fixture
def user() -> str:
    return f"u-{uuid4()}"


def event(user, **changes):
    return {"user_id": user, "item_id": "i007", "event_type": "view", **changes}


def stored(settings, user):
    found = engine(settings)
    try:
        with found.connect() as connection:
            query = select(inbox).where(inbox.c.user_id == user).order_by(inbox.c.position)
            return [row._asdict() for row in connection.execute(query)]
    finally:
        found.dispose()


def test_an_event_is_stored_with_id_time_and_currency(client, shop, user):
    answer = client.post("/v1/events", json=event(user, price=295))
    assert answer.status_code == 202
    content = answer.json()
    assert content["accepted"] == 1
    assert content["events"][0]["status"] == "accepted"
    (row,) = stored(shop.settings, user)
    assert row["event_id"] == content["events"][0]["event_id"]
    assert row["occurred_at"] == row["received_at"] == shop.settings.shop_clock().now()
    assert row["payload"] == {
        "event_id": row["event_id"],
        "user_id": user,
        "item_id": "i007",
        "event_type": "view",
        "occurred_at": "2010-12-10T09:00:00.000000+00:00",
        "price": 295,
        "currency": "GBP",
    }


def test_all_fields_are_kept_and_time_is_told_in_utc(client, shop, user):
    posted = {
        "event_id": f"e-{user}",
        "user_id": user,
        "item_id": "i007",
        "event_type": "review",
        "occurred_at": "2010-12-10T09:30:00.123456+01:00",
        "session_id": "s-1",
        "dwell_ms": 42_000,
        "quantity": 2,
        "price": 100,
        "currency": "EUR",
        "rating": 4.5,
        "text": "good\nand ☂",
    }
    assert client.post("/v1/events", json=posted).status_code == 202
    (row,) = stored(shop.settings, user)
    assert row["payload"] == {**posted, "occurred_at": "2010-12-10T08:30:00.123456+00:00"}


def test_the_next_answers_know_the_event(client, user):
    before = client.get(f"/v1/users/{user}/recommendations").json()
    assert before["known"] is False
    client.post("/v1/events", json=event(user, item_id="i004", event_type="purchase")).raise_for_status()
    after = client.get(f"/v1/users/{user}/recommendations").json()
    assert after["known"] is True
    assert after["items"][0]["item_id"] == "i004"
    assert after["items"][0]["reason"] == "Bought once, last within a day."
    interest = client.get(f"/v1/users/{user}/interest").json()
    assert [(row["category"], row["share"]) for row in interest["categories"]] == [("lamp", 1.0)]
    assert [one["item_id"] for one in interest["last_events"]] == ["i004"]


def test_a_known_users_ranking_changes(client, shop, user):
    shop.store.rows[user] = shop.store.rows["regular"]
    before = client.get(f"/v1/users/{user}/recommendations").json()["items"]
    assert [item["item_id"] for item in before[:2]] == ["i001", "i003"]
    events = [event(user, item_id="i005", event_type="purchase", event_id=f"{user}-{n}") for n in range(5)]
    client.post("/v1/events", json=events).raise_for_status()
    after = client.get(f"/v1/users/{user}/recommendations").json()["items"]
    assert [item["item_id"] for item in after[:3]] == ["i005", "i001", "i003"]


def test_an_event_in_the_row_already_is_not_counted_twice(client, shop, user):
    """Rows are written before the day is announced: their own last event says how far they go."""
    client.post("/v1/events", json=event(user, item_id="i004", event_type="purchase")).raise_for_status()
    (row,) = stored(shop.settings, user)
    moment_us = int(row["occurred_at"].timestamp()) * 1_000_000
    shop.store.rows[user] = {
        "sequence_items": ["i004"],
        "sequence_categories": ["lamp"],
        "sequence_types": ["purchase"],
        "sequence_times_us": [moment_us],
        "sequence_dwell_ms": [0],
        "history_items": ["i004"],
        "history_times": [1],
        "history_purchases": [1],
        "history_last_us": [moment_us],
    }
    first = client.get(f"/v1/users/{user}/recommendations").json()["items"][0]
    assert first["because"]["evidence"]["purchases"] == 1


def test_the_same_event_twice_counts_once(client, shop, user):
    posted = event(user, event_id=f"e-{user}", event_type="purchase", quantity=2)
    first, second = (client.post("/v1/events", json=posted) for _ in range(2))
    assert first.json()["events"] == [{"event_id": f"e-{user}", "status": "accepted"}]
    assert second.status_code == 202
    assert second.json() == {
        "accepted": 0,
        "duplicate": 1,
        "events": [{"event_id": f"e-{user}", "status": "duplicate"}],
    }
    assert len(stored(shop.settings, user)) == 1
    item = client.get(f"/v1/users/{user}/recommendations").json()["items"][0]
    assert item["because"]["evidence"]["purchases"] == 1


def test_a_retry_without_a_time_is_the_same_event_later_too(client, shop, user, opened):
    posted = event(user, event_id=f"e-{user}")
    client.post("/v1/events", json=posted).raise_for_status()
    shop.settings = shop.settings.model_copy(update={"clock": "2010-12-10T09:05:00+00:00"})
    with opened(shop) as later:
        assert later.post("/v1/events", json=posted).json()["duplicate"] == 1


def test_the_same_id_with_other_content_is_refused_and_nothing_stored(client, shop, user, problem_of):
    client.post("/v1/events", json=event(user, event_id=f"e-{user}")).raise_for_status()
    others = [event(user, event_id=f"f-{user}"), event(user, event_id=f"e-{user}", item_id="i008")]
    document = problem_of(client.post("/v1/events", json=others), 409)
    assert document["event_ids"] == [f"e-{user}"]
    assert [row["event_id"] for row in stored(shop.settings, user)] == [f"e-{user}"]
    assert client.post("/v1/events", json=others[:1]).json()["accepted"] == 1


def test_an_id_twice_in_one_request(client, shop, user, problem_of):
    same = [event(user, event_id=f"e-{user}")] * 2
    assert [one["status"] for one in client.post("/v1/events", json=same).json()["events"]] == ["accepted", "duplicate"]
    other = [event(user, event_id=f"g-{user}"), event(user, event_id=f"g-{user}", item_id="i008")]
    problem_of(client.post("/v1/events", json=other), 409)
    assert len(stored(shop.settings, user)) == 1


def test_a_thousand_events_keep_their_order(client, shop, user):
    events = [event(user, event_id=f"{user}-{n}", item_id=f"i{n % 300:03d}") for n in range(1000)]
    answer = client.post("/v1/events", json=events)
    assert answer.json()["accepted"] == 1000
    assert [one["event_id"] for one in answer.json()["events"]] == [one["event_id"] for one in events]
    assert [row["event_id"] for row in stored(shop.settings, user)] == [one["event_id"] for one in events]
    latest = client.get(f"/v1/users/{user}/interest").json()["last_events"][0]
    assert latest["item_id"] == events[-1]["item_id"]


def test_guests_are_stored_and_belong_to_nobody(client, shop, user):
    answer = client.post("/v1/events", json={"item_id": "i001", "event_type": "view", "session_id": user})
    assert answer.status_code == 202
    found = engine(shop.settings)
    with found.connect() as connection:
        query = select(inbox.c.user_id).where(inbox.c.event_id == answer.json()["events"][0]["event_id"])
        assert connection.scalars(query).all() == [None]
    found.dispose()


def test_without_postgres_events_are_refused_and_can_be_sent_again(shop, opened, user, problem_of, client):
    posted = event(user, event_id=f"e-{user}")
    with opened(shop, shop.without_postgres) as broken:
        answer = broken.post("/v1/events", json=posted)
        problem_of(answer, 503)
        assert int(answer.headers["retry-after"]) > 0
        assert broken.get("/v1/users/regular/recommendations").status_code == 200
    assert stored(shop.settings, user) == []
    assert client.post("/v1/events", json=posted).json()["accepted"] == 1


def test_without_valkey_events_are_taken_and_known(shop, opened, user):
    with opened(shop, shop.without_valkey) as broken:
        assert broken.post("/v1/events", json=event(user, event_type="purchase")).status_code == 202
        content = broken.get(f"/v1/users/{user}/recommendations").json()
        assert content["items"][0]["item_id"] == "i007"
        assert content["fallback"] is None
    with opened(shop) as healed:
        assert healed.get(f"/v1/users/{user}/recommendations").json()["known"] is True


def test_an_event_a_little_ahead_of_the_clock_is_known_at_once(client, user):
    posted = event(user, occurred_at="2010-12-10T09:00:59Z")
    assert client.post("/v1/events", json=posted).status_code == 202
    content = client.get(f"/v1/users/{user}/recommendations").json()
    assert content["known"] is True
    assert content["moment"] == "2010-12-10T09:00:59.000001Z"


def test_events_are_counted(client, user, counted):
    names = (
        'penchant_events_total{status="accepted"}',
        'penchant_events_total{status="duplicate"}',
        'penchant_http_requests_total{method="POST",route="/v1/events",status="202"}',
    )
    before = [counted(client, name) for name in names]
    posted = event(user, event_id=f"e-{user}")
    for _ in range(3):
        client.post("/v1/events", json=posted)
    assert [counted(client, name) - then for name, then in zip(names, before, strict=True)] == [1, 2, 3]
