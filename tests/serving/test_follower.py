"""What serves follows the ledger; what fails leaves what was there."""

from __future__ import annotations

from datetime import timedelta

import pytest

from features.service import service_name, service_version

pytestmark = pytest.mark.integration


def test_a_change_in_the_ledger_is_served_without_a_restart(client, shop, seat, ranker_of, eventually):
    assert client.get("/v1/model").json()["version"] == 1
    shop.registry.rankers[2] = ranker_of(name="dien")
    shop.registry.seat = seat(2, 2, "it won by .03")
    eventually(lambda: client.get("/v1/model").json()["version"] == 2)
    model = client.get("/v1/model").json()
    assert model["name"] == "dien"
    assert model["reason"] == "it won by .03"
    assert model["since"] == "2010-12-10T00:00:00Z"
    assert client.get("/v1/users/regular/recommendations").json()["model"]["name"] == "dien"
    assert 'penchant_bundle_info{kind="baseline",name="dien",version="2"} 1.0' in client.get("/metrics").text
    assert 'penchant_bundle_info{kind="baseline",name="buy-again",version="1"} 0.0' in client.get("/metrics").text


def test_a_rollback_is_followed_too(client, shop, seat, ranker_of, eventually):
    shop.registry.rankers[2] = ranker_of(name="dien")
    shop.registry.seat = seat(2, 2)
    eventually(lambda: client.get("/v1/model").json()["version"] == 2)
    shop.registry.seat = seat(3, 1, "rolled back")
    eventually(lambda: client.get("/v1/model").json()["version"] == 1)


def test_a_bundle_that_cannot_be_loaded_leaves_the_old_one(client, shop, seat, eventually):
    shop.registry.rankers[2] = RuntimeError("half a file")
    shop.registry.seat = seat(2, 2)
    eventually(lambda: "trouble" in client.get("/v1/model").json() and client.get("/v1/model").json()["trouble"])
    model = client.get("/v1/model").json()
    assert model["version"] == 1
    assert model["trouble"] == "version 2 could not be loaded: half a file"
    ready = client.get("/readyz")
    assert ready.status_code == 200
    assert ready.json()["parts"]["model"] == "version 2 could not be loaded: half a file"
    assert client.get("/v1/users/regular/recommendations").json()["fallback"] is None
    assert 'penchant_bundle_loads_total{outcome="failed"}' in client.get("/metrics").text


def test_it_is_tried_again_but_not_at_once(client, shop, seat, ranker_of, eventually):
    tries = []
    load = shop.registry.load
    follower = client.app.state.service.follower
    shop.registry.rankers[2] = RuntimeError("half a file")
    follower._parts.__dict__["load"] = lambda folder: (tries.append(folder), load(folder))[1]
    shop.registry.seat = seat(2, 2)
    eventually(lambda: tries)
    looks = follower.view
    eventually(lambda: follower.view is not looks)
    assert len(tries) == 1
    shop.registry.rankers[2] = ranker_of(name="dien")
    eventually(lambda: client.get("/v1/model").json()["version"] == 2)


def test_a_bundle_of_other_windows_is_refused(client, shop, seat, ranker_of, api_settings, eventually):
    other = api_settings.model_copy(update={"window_days": (1, 14)})
    shop.registry.rankers[2] = ranker_of(settings=other)
    shop.registry.seat = seat(2, 2)
    eventually(lambda: client.get("/v1/model").json()["trouble"])
    assert "it reads windows of (1, 14)" in client.get("/v1/model").json()["trouble"]


def test_a_bundle_that_was_trained_on_other_features_is_refused(
    client, shop, seat, ranker_of, api_settings, eventually
):
    other = api_settings.model_copy(update={"session_minutes": api_settings.session_minutes + 1})
    shop.registry.rankers[2] = ranker_of(settings=other)
    shop.registry.seat = seat(2, 2)
    eventually(lambda: client.get("/v1/model").json()["trouble"])
    model = client.get("/v1/model").json()
    assert (model["version"], model["feature_service"]) == (1, service_name(service_version(api_settings)))
    assert f"it was trained on {service_name(service_version(other))}, and the store serves" in model["trouble"]
    assert "defined otherwise (user_windows:" in model["trouble"]


def test_a_model_that_cannot_rank_is_not_seated(client, shop, seat, ranker_of, eventually):
    shop.registry.rankers[2] = ranker_of(answers=lambda scores: scores * float("nan"))
    shop.registry.seat = seat(2, 2)
    eventually(lambda: client.get("/v1/model").json()["trouble"])
    assert "no number" in client.get("/v1/model").json()["trouble"]
    assert client.get("/v1/model").json()["version"] == 1


def test_a_ledger_that_is_down_changes_nothing(client, shop, down, eventually):
    shop.registry.error = down
    eventually(lambda: client.get("/readyz").json()["parts"]["ledger"] != "ok")
    assert client.get("/readyz").status_code == 200
    assert client.get("/v1/users/regular/recommendations").json()["model"]["version"] == 1


def test_no_champion_is_said(shop, opened, problem_of):
    shop.registry.seat = None
    with opened(shop) as client:
        problem_of(client.get("/v1/model"), 404)
        document = problem_of(client.get("/readyz"), 503)
        assert document["parts"]["model"] == "the ledger names no champion yet"
        assert document["parts"]["database"] == document["parts"]["valkey"] == "ok"
        assert client.get("/healthz").json() == {"status": "ok"}


def test_a_champion_that_comes_later_is_served(shop, opened, seat, eventually):
    shop.registry.seat = None
    with opened(shop) as client:
        shop.registry.seat = seat(1, 1)
        eventually(lambda: client.get("/readyz").status_code == 200)
        assert client.get("/v1/users/regular/recommendations").json()["fallback"] is None


def test_servers_that_are_down_are_named(shop, opened, problem_of):
    with opened(shop, shop.without_servers) as client:
        document = problem_of(client.get("/readyz"), 503)
        assert document["parts"]["database"] == "does not answer (OperationalError)"
        assert document["parts"]["valkey"] == "does not answer (ConnectionError)"
        assert "127.0.0.1" not in document["detail"]
        assert client.get("/healthz").status_code == 200


def test_new_features_make_a_new_shelf(client, shop, eventually, api_settings):
    assert client.get("/v1/users/new/recommendations?limit=1").json()["items"][0]["item_id"] == "i299"
    items, columns = shop.store.item_stats(api_settings.shop_clock().now())
    shop.store.item_stats = lambda _: (items, {name: values[::-1] for name, values in columns.items()})
    shop.store.through += timedelta(days=1)
    eventually(lambda: client.get("/v1/users/new/recommendations?limit=1").json()["items"][0]["item_id"] == "i000")
    assert client.get("/v1/users/new/recommendations").json()["as_of"] == "2010-12-11T00:00:00Z"


def test_a_store_that_fails_leaves_the_shelf(client, shop, down, eventually):
    shop.store.error = down
    eventually(lambda: client.get("/readyz").json()["parts"]["features"] != "ok")
    assert client.get("/v1/users/new/recommendations?limit=1").json()["items"][0]["item_id"] == "i299"


def test_a_store_that_fails_from_the_start_gets_its_shelf_later(shop, opened, down, eventually):
    shop.store.error = down
    with opened(shop) as client:
        assert client.get("/v1/users/new/recommendations?limit=1").json()["items"][0]["item_id"] == "i000"
        shop.store.error = None
        eventually(lambda: client.get("/v1/users/new/recommendations?limit=1").json()["items"][0]["item_id"] == "i299")
