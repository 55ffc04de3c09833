from __future__ import annotations

import numpy as np
import pytest

pytestmark = pytest.mark.integration


def test_own_items_come_first_with_reason_and_model(client):
    answer = client.get("/v1/users/regular/recommendations", params={"limit": 5})
    assert answer.status_code == 200
    content = answer.json()
    assert content["known"] is True
    assert content["fallback"] is None
    assert content["degraded"] is False
    assert content["model"] == {"name": "buy-again", "version": 1, "kind": "baseline"}
    assert content["moment"] == "2010-12-10T09:00:00Z"
    assert content["as_of"] == "2010-12-10T00:00:00Z"
    first, second = content["items"][:2]
    assert first["item_id"] == "i001"
    assert first["title"] == "lamp i001"
    assert first["price"] == {"amount": 101, "currency": "GBP"}
    assert first["reason"] == "Bought 3 times, last 10 days ago."
    assert first["because"]["kind"] == "bought"
    assert first["because"]["evidence"]["purchases"] == 3
    assert first["because"]["evidence"]["last_at"] == "2010-11-30T00:00:00Z"
    assert second["reason"] == "Bought once, last 2 days ago."
    assert first["score"] > second["score"]


def test_attention_names_the_events_responsible(client):
    first = client.get("/v1/users/regular/recommendations").json()["items"][0]
    events = first["because"]["evidence"]["events"]
    # the stand-in's attention is 0, 1, 2, 3 over the four events
    assert [event["weight"] for event in events] == [0.5, 2 / 6, 1 / 6]
    assert events[0]["item_id"] == "i003"
    assert events[0]["title"] == "clock i003"


def test_items_are_unique_and_as_many_as_asked(client):
    for limit in (1, 10, 100):
        items = client.get("/v1/users/regular/recommendations", params={"limit": limit}).json()["items"]
        assert len(items) == limit
        assert len({item["item_id"] for item in items}) == limit


def test_equal_questions_get_equal_answers(client):
    first, second = (client.get("/v1/users/regular/recommendations?limit=100").json() for _ in range(2))
    assert first == second


def test_the_model_sees_one_shape_alone(client, shop):
    client.get("/v1/users/regular/recommendations")
    shop.store.rows["other"] = {**shop.store.rows["regular"], "history_items": [], "history_times": []}
    shop.store.rows["other"] |= {"history_purchases": [], "history_last_us": []}
    client.get("/v1/users/other/recommendations")
    assert set(shop.registry.rankers[1].calls) == {(1, shop.settings.api_candidates)}


def test_unknown_user_gets_what_is_popular(client):
    content = client.get("/v1/users/nobody-knows/recommendations", params={"limit": 3}).json()
    assert content["known"] is False
    assert content["fallback"] is None
    assert content["model"] is None
    assert [item["item_id"] for item in content["items"]] == ["i299", "i298", "i297"]
    assert content["items"][0]["reason"] == "Popular now: 299 customers chose it in the last 7 days."
    assert content["items"][0]["score"] is None


def test_user_ids_may_hold_slashes_and_signs(client):
    for user_id in ("a%2Fb", "a/b", "%C3%A9%20%3F%23", "x" * 256):
        answer = client.get(f"/v1/users/{user_id}/recommendations")
        assert answer.status_code == 200, user_id
    assert client.get("/v1/users/a%2Fb/recommendations").json()["user_id"] == "a/b"


def test_without_a_store_popular_items_come_from_memory(client, shop, down, counted):
    shop.store.error = down
    content = client.get("/v1/users/regular/recommendations", params={"limit": 2}).json()
    assert content["fallback"] == "no_features"
    assert content["degraded"] is True
    assert [item["item_id"] for item in content["items"]] == ["i299", "i298"]
    assert counted(client, 'penchant_fallbacks_total{reason="no_features"}') >= 1


def test_without_a_champion_the_catalogue_is_shown_degraded(shop, opened):
    shop.registry.seat = None
    with opened(shop) as client:
        content = client.get("/v1/users/regular/recommendations", params={"limit": 2}).json()
    assert content["fallback"] == "no_model"
    assert content["degraded"] is True
    assert content["known"] is True
    assert content["model"] is None
    assert [item["item_id"] for item in content["items"]] == ["i299", "i298"]


def test_a_model_that_gives_no_numbers_is_not_believed(shop, opened, ranker_of):
    ranker = ranker_of()
    shop.registry.rankers[1] = ranker
    with opened(shop) as client:
        ranker.answers = lambda scores: scores * np.nan
        content = client.get("/v1/users/regular/recommendations", params={"limit": 2}).json()
    assert content["fallback"] == "model_failed"
    assert [item["item_id"] for item in content["items"]] == ["i299", "i298"]


def test_live_events_that_cannot_be_read_are_said_to_lack(shop, opened):
    with opened(shop, shop.without_servers) as client:
        content = client.get("/v1/users/regular/recommendations").json()
    assert content["fallback"] == "live_events_incomplete"
    assert content["items"][0]["item_id"] == "i001"
