"""Whoever writes to the inbox or reads it may be killed at any moment: what was acknowledged is there once."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import delete, event, func, select

from features.live.entry import Entry
from features.live.inbox import STATEMENT_MS, Inbox
from infra.children import child_environment
from infra.database import engine
from infra.errors import ServiceError
from infra.settings import Settings
from infra.tables import inbox

pytestmark = pytest.mark.integration

PROJECT = Path(__file__).resolve().parents[4]
SCRIPT = Path(__file__).with_name("inbox_under_fire.py")


@pytest.fixture(autouse=True)
def _leave_nothing(services: Settings) -> Iterator[None]:
    yield
    found = engine(services)
    with found.begin() as connection:
        connection.execute(delete(inbox))
    found.dispose()


@pytest.mark.parametrize(("who", "at_least"), [("reader", 35), ("writer", 15)])
def test_killed_at_every_step_nothing_is_lost_or_doubled(
    services: Settings, tmp_path: Path, who: str, at_least: int
) -> None:
    """Together fifty kills and more."""
    environment = {**child_environment(services), "OPENBLAS_NUM_THREADS": "1"}  # a process is forked without threads
    command = [sys.executable, "-W", "error", str(SCRIPT), who, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=PROJECT, env=environment)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= at_least


def test_a_writer_that_hangs_in_the_midst_lets_go_and_has_stored_nothing(services: Settings) -> None:
    """Else it would keep every reader waiting; its client is told to send the events again."""
    moment = datetime(1999, 12, 1, tzinfo=UTC)
    said = {"event_id": "hung", "item_id": "i", "event_type": "view", "occurred_at": moment.isoformat()}
    database = engine(services)
    event.listen(database, "commit", lambda _: time.sleep(STATEMENT_MS / 1000 + 1))
    try:
        with pytest.raises(ServiceError, match="cannot be stored now"):
            Inbox(database).file([Entry("hung", "u", moment, said, frozenset())], moment)
        assert stored(services, "hung") == 0
    finally:
        database.dispose()


def stored(services: Settings, event_id: str) -> int:
    found = engine(services)
    try:
        with found.begin() as connection:
            return connection.scalar(select(func.count()).where(inbox.c.event_id == event_id)) or 0
    finally:
        found.dispose()
