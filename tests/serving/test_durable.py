"""An API process that is killed after its 202 has lost nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import select

from infra.database import engine
from infra.ports import free_port
from infra.tables import inbox

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]


@pytest.fixture
def process(api_settings, tmp_path, eventually):
    """The API as ``penchant up`` starts it; yields the process and a client."""
    port = free_port()
    names = ("home", "clock", "postgres_port", "valkey_port")
    environment = {f"PENCHANT_{name.upper()}": str(getattr(api_settings, name)) for name in names}
    command = [sys.executable, "-m", "uvicorn", "--factory", "serving.app:create_app", "--port", str(port)]
    with (tmp_path / "api.log").open("w") as log:
        started = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, **environment}, stdout=log, stderr=subprocess.STDOUT
        )
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        try:
            eventually(lambda: answers(client), 60)
            yield started, client, tmp_path / "api.log"
        finally:
            started.kill()
            started.wait()


def answers(client):
    try:
        return client.get("/healthz").status_code == 200
    except httpx.TransportError:
        return False


def test_kill_9_after_202_loses_nothing(process, shop, opened):
    started, client, log = process
    user = f"u-{uuid4()}"
    taken = []
    for number in range(20):
        event = {"user_id": user, "item_id": f"i{number:03d}", "event_type": "view", "event_id": f"{user}-{number}"}
        answer = client.post("/v1/events", json=event)
        assert answer.status_code == 202
        taken += [one["event_id"] for one in answer.json()["events"]]
    started.send_signal(signal.SIGKILL)
    started.wait()
    assert stored(shop.settings, user) == taken
    with opened(shop) as next_one:  # another process's set and marks are understood
        events = next_one.get(f"/v1/users/{user}/interest").json()["last_events"]
    assert [event["item_id"] for event in events] == [f"i{number:03d}" for number in reversed(range(20))]
    assert user not in log.read_text()


def stored(settings, user):
    found = engine(settings)
    try:
        with found.connect() as connection:
            query = select(inbox.c.event_id).where(inbox.c.user_id == user).order_by(inbox.c.position)
            return list(connection.scalars(query))
    finally:
        found.dispose()
