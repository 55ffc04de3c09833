"""The API as it runs: built features through Feast, a real bundle, the ledger, and servers that stop."""

from __future__ import annotations

import json
import os
import signal
import time
from datetime import UTC, date, datetime

import httpx
import pytest
from sqlalchemy import insert

from infra.partitions import Span
from infra.registry import Registry
from infra.tables import ledger
from infra.tracking import MODEL_NAME
from serving.app import create_app

pytestmark = [pytest.mark.integration, pytest.mark.model]

SPAN = Span(date(2010, 12, 6), date(2010, 12, 10))


def deliveries():
    """On each day user k buys item k; on the last day "anna" buys her lamp for the third time."""
    for day in SPAN.days():
        for number in range(12):
            yield bought(day, f"user{number}", f"mug{number:02d}", "mug", number)
        if day != date(2010, 12, 8):
            yield bought(day, "anna", "lamp1", "lamp", 30)


def bought(day, user, item, category, minute):
    moment = datetime(day.year, day.month, day.day, 10, minute, tzinfo=UTC)
    return {
        "user_id": user,
        "item_id": item,
        "event_type": "purchase",
        "occurred_at": moment.isoformat(),
        "price": 250,
        "quantity": 1,
        "title": f"The {item}",
        "category_path": category,
    }


@pytest.fixture(scope="module")
def house(short_folder, make_settings):
    """A home of its own, whose servers a test may stop: features built and online, a champion seated."""
    from features.build import build
    from features.store.materialise import materialise
    from features.store.repository import apply
    from infra.database import create_databases, migrate
    from infra.services import start_services, stop_services

    overrides = {"clock": "2010-12-10T09:00:00+00:00", "api_poll_seconds": 0.1, "source": "canonical"}
    settings = make_settings(short_folder / "house", **overrides)
    try:
        start_services(settings)
        create_databases(settings)
        migrate(settings)
        publish_all(settings)
        build(settings, SPAN)
        apply(settings)
        materialise(settings, SPAN)
        seat(settings)
        yield settings
    finally:
        stop_services(settings)


def publish_all(settings):
    from features.events.ingest import ingest
    from features.events.publish import publish

    path = settings.lake.landing_history("canonical") / "events.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text("".join(json.dumps(event) + "\n" for event in deliveries()), encoding="utf-8")
    manifest = ingest(
        settings, "canonical", [path], SPAN, bulk=True, delivered_at=datetime(2010, 12, 10, 1, tzinfo=UTC)
    )
    assert manifest.accepted == 51
    publish(settings, [manifest.delivery_id], gated=False)


def seat(settings):
    """Version 1 where the registry keeps what it fetched, and the ledger's entry for it."""
    from features.bundle import BundleMeta
    from features.catalogue import catalogue
    from features.service import feature_versions, service_version
    from features.vocabulary import Vocabulary
    from infra.database import engine
    from training.baselines import buy_again
    from training.export import save_bundle

    items = catalogue(settings, settings.shop_clock().now())
    vocabulary = Vocabulary.of(dict(zip(items["item_id"].to_pylist(), items["category"].to_pylist(), strict=True)))
    meta = BundleMeta(
        name="buy-again",
        kind="baseline",
        feature_service="interest_v1",
        feature_service_version=service_version(settings),
        features=feature_versions(settings),
        sequence_length=settings.sequence_length,
        window_days=settings.window_days,
        half_life_days=settings.half_life_days,
        history_items=settings.history_items,
        data_digest="d",
        snapshot_id="s",
        git_commit="c",
        created_at="2010-12-10T00:00:00+00:00",
    )
    module = buy_again(settings.window_days, settings.half_life_days, 30, 90.0)
    save_bundle(settings.home / "bundles" / "1", module, vocabulary, items, meta)
    columns = {"actor": "a test", "action": "first_champion", "model": MODEL_NAME, "version": 1, "run_id": "r"}
    columns |= {"data_digest": "d", "reason": "the best baseline", "verdict": {}, "state": "confirmed"}
    found = engine(settings)
    with found.begin() as connection:
        connection.execute(insert(ledger).values(**columns))
    found.dispose()
    with Registry(settings) as registry:
        assert registry.champion().version == 1


@pytest.fixture(scope="module")
def api(house, running_app, eventually):
    """The API with nothing replaced."""
    with running_app(create_app(house)) as port, httpx.Client(timeout=30, trust_env=False) as client:
        client.base_url = f"http://127.0.0.1:{port}"
        eventually(lambda: client.get("/readyz").status_code == 200, 120)
        yield client


def test_recommendations_come_from_the_feature_store(api):
    content = api.get("/v1/users/anna/recommendations").json()
    assert content["fallback"] is None
    assert content["known"] is True
    assert content["as_of"] == "2010-12-10T00:00:00Z"
    assert content["model"] == {"name": "buy-again", "version": 1, "kind": "baseline"}
    first = content["items"][0]
    assert (first["item_id"], first["title"], first["category"]) == ("lamp1", "The lamp1", "lamp")
    assert first["price"] == {"amount": 250, "currency": "GBP"}
    assert first["reason"] == "Bought 3 times, last within a day."
    assert first["because"]["evidence"]["users"] == 1


def test_unknown_users_get_what_the_statistics_call_popular(api):
    content = api.get("/v1/users/new/recommendations?limit=3").json()
    assert content["known"] is False
    assert content["items"][0]["because"]["kind"] == "popular"
    assert content["items"][0]["reason"] == "Popular now: 1 customer chose it in the last 7 days."


def test_interest_is_that_of_the_log(api):
    content = api.get("/v1/users/anna/interest").json()
    assert [row["category"] for row in content["categories"]] == ["lamp"]
    expected = sum(4 * 2 ** (-(9 - 10.5 + 24 * days) / 24 / 30) for days in (1, 3, 4))
    assert content["categories"][0]["strengths"]["30d"] == pytest.approx(expected)


def test_events_of_today_come_on_top_of_the_row(api):
    for number in range(2):
        event = {"user_id": "user3", "item_id": "lamp1", "event_type": "purchase", "event_id": f"whole-{number}"}
        assert api.post("/v1/events", json=event).status_code == 202
    content = api.get("/v1/users/user3/recommendations").json()
    evidence = {item["item_id"]: item["because"]["evidence"] for item in content["items"]}
    assert (evidence["mug03"]["purchases"], evidence["lamp1"]["purchases"]) == (4, 2)


def test_postgres_that_stops_leaves_recommendations(house, api, problem_of, eventually):
    from infra.postgres import start_postgres, stop_postgres

    before = api.get("/v1/users/anna/recommendations").json()
    stop_postgres(house)
    try:
        begun = time.monotonic()
        during = api.get("/v1/users/anna/recommendations").json()
        assert time.monotonic() - begun < 3
        assert during["items"] == before["items"]
        problem_of(api.post("/v1/events", json={"user_id": "anna", "event_type": "login"}), 503)
        assert problem_of(api.get("/readyz"), 503)["parts"]["valkey"] == "ok"
    finally:
        start_postgres(house)
    eventually(lambda: api.get("/readyz").status_code == 200, 30)
    assert api.post("/v1/events", json={"user_id": "anna", "event_type": "login"}).status_code == 202


def test_valkey_that_hangs_is_not_waited_for(house, api):
    from infra.processes import running

    process = running(house, "valkey")
    os.kill(process.pid, signal.SIGSTOP)
    try:
        begun = time.monotonic()
        content = api.get("/v1/users/anna/recommendations").json()
        assert time.monotonic() - begun < 3
        assert content["fallback"] == "no_features"
        event = {"user_id": "anna", "item_id": "mug07", "event_type": "view"}
        assert api.post("/v1/events", json=event).status_code == 202
    finally:
        os.kill(process.pid, signal.SIGCONT)
    assert api.get("/v1/users/anna/interest").json()["last_events"][0]["item_id"] == "mug07"


def test_valkey_that_stops_leaves_what_is_popular(house, api, problem_of, eventually):
    from infra.valkey import start_valkey, stop_valkey

    before = api.get("/v1/users/anna/recommendations").json()
    stop_valkey(house)
    try:
        begun = time.monotonic()
        during = api.get("/v1/users/anna/recommendations").json()
        assert time.monotonic() - begun < 3
        assert (during["fallback"], during["known"]) == ("no_features", False)
        assert during["items"]
        event = {"user_id": "anna", "item_id": "mug05", "event_type": "view"}
        assert api.post("/v1/events", json=event).status_code == 202
        problem_of(api.get("/v1/users/anna/interest"), 503)
    finally:
        start_valkey(house)
    eventually(lambda: api.get("/readyz").status_code == 200, 30)
    after = api.get("/v1/users/anna/recommendations").json()
    assert after["items"][0]["item_id"] == before["items"][0]["item_id"]
    assert api.get("/v1/users/anna/interest").json()["last_events"][0]["item_id"] == "mug05"
