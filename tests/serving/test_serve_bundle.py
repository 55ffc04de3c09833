"""The API on real bundles: exported by training, named by the ledger's own table, scored by TensorFlow."""

from __future__ import annotations

import shutil
from dataclasses import replace
from uuid import uuid4

import pytest
from sqlalchemy import insert

from infra.database import engine
from infra.registry import Registry
from infra.tables import ledger
from training.baselines import buy_again, last_category, recent_popular
from training.export import save_bundle

pytestmark = [pytest.mark.integration, pytest.mark.model]


@pytest.fixture
def bundles(api_settings, shop):
    """Three baselines where the registry keeps what it fetched: versions 901, 902 and, broken, 903."""
    windows, half_lives = api_settings.window_days, api_settings.half_life_days
    ranker = shop.registry.rankers[1]
    modules = {
        901: ("buy-again", buy_again(windows, half_lives, 30, 90.0)),
        902: ("last-category", last_category(windows, half_lives, 30)),
        903: ("recent-popular", recent_popular(windows, 30)),
    }
    folders = {version: api_settings.home / "bundles" / str(version) for version in modules}
    for version, (name, module) in modules.items():
        meta = ranker.meta.model_copy(update={"name": name})
        save_bundle(folders[version], module, ranker.vocabulary, ranker.items, meta)
    (folders[903] / "model" / "saved_model.pb").write_bytes(b"half")
    yield
    for folder in folders.values():
        shutil.rmtree(folder)


@pytest.fixture
def model_name():
    """The session's ledger is shared: a registered model of our own."""
    return f"serving-{uuid4()}"


@pytest.fixture
def promote(services, model_name):
    """Writes a confirmed decision to the ledger, as the registry does."""

    def write(version, action="promote"):
        columns = {"actor": "a test", "action": action, "model": model_name, "version": version, "run_id": "r"}
        columns |= {"data_digest": "d", "reason": f"because of {version}", "verdict": {}, "state": "confirmed"}
        found = engine(services)
        with found.begin() as connection:
            connection.execute(insert(ledger).values(**columns))
        found.dispose()

    return write


@pytest.fixture
def client(shop, services, bundles, opened, model_name):
    """The shop's store, and the real registry: the ledger in PostgreSQL, bundles on the disk."""
    from features.bundle import Bundle

    def connect(settings):
        return replace(shop.connect(settings), registry=Registry(services, model_name), load=Bundle.load)

    with opened(shop, connect) as client:
        yield client


def test_the_ledger_decides_what_serves(client, promote, eventually, problem_of):
    def serves(version):
        answer = client.get("/v1/model")
        return answer.status_code == 200 and answer.json()["version"] == version

    problem_of(client.get("/readyz"), 503)
    promote(901, "first_champion")
    eventually(lambda: serves(901), 60)
    assert client.get("/v1/model").json()["reason"] == "because of 901"
    first = client.get("/v1/users/regular/recommendations").json()
    assert first["model"] == {"name": "buy-again", "version": 901, "kind": "baseline"}
    assert first["fallback"] is None
    assert [item["item_id"] for item in first["items"][:2]] == ["i001", "i003"]
    assert first["items"][0]["because"]["evidence"]["events"] == []  # a baseline has no attention

    promote(902)
    eventually(lambda: serves(902), 60)
    second = client.get("/v1/users/regular/recommendations").json()
    assert {item["category"] for item in second["items"]} == {"clock"}

    promote(903)
    eventually(lambda: client.get("/v1/model").json()["trouble"], 60)
    assert client.get("/v1/model").json()["trouble"].startswith("version 903 could not be loaded: ")
    assert client.get("/v1/users/regular/recommendations").json()["model"]["version"] == 902
