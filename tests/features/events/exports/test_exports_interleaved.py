"""Writers and exports in any order: every committed row is read, and counts once."""

from __future__ import annotations

import json
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as searching
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, delete, insert, text

from features.events.arrivals import take_day
from features.events.exports.inbox import inbox_file
from features.events.publish import publish
from infra.database import engine
from infra.settings import Settings
from infra.tables import inbox

START = datetime(1999, 12, 1, tzinfo=UTC)
WAITING = text("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'inbox'::regclass")

# what happens next, and to which of the writers that are open
Step = tuple[str, int]
STEPS = st.lists(st.tuples(st.sampled_from(["open", "commit", "roll back", "export"]), st.integers(0, 9)), max_size=14)


def at(day: int) -> date:
    return (START + timedelta(days=day)).date()


class Inbox:
    """The inbox with writers that are in the midst of it; an export waits until all of them are done."""

    def __init__(self, database: Engine, mall: Settings) -> None:
        self.database, self.mall = database, mall
        self.open: list[tuple[Connection, list[str]]] = []
        self.committed: list[str] = []
        self.rows, self.days = 0, 0

    def step(self, what: str, which: int, rest: list[Step]) -> None:
        if what == "open":
            self.begin(ahead=which)
        elif what == "export":
            self.export(rest)
        elif self.open:
            self.finish(what, which)

    def begin(self, ahead: int) -> None:
        """Two rows, written and not committed; the second happens some days after the next export."""
        connection = self.database.connect()
        ids = [f"e{self.rows}", f"e{self.rows + 1}"]
        for event_id, day in zip(ids, (self.days, self.days + ahead), strict=True):
            moment = START + timedelta(days=day)
            said = {"item_id": "i", "event_type": "view"}
            values = {"event_id": event_id, "occurred_at": moment, "received_at": moment, "payload": said}
            connection.execute(insert(inbox).values(values))
        self.rows += 2
        self.open.append((connection, ids))

    def finish(self, what: str, which: int) -> None:
        connection, ids = self.open.pop(which % len(self.open))
        if what == "commit":
            connection.commit()
            self.committed += ids
        connection.close()

    def export(self, rest: list[Step]) -> None:
        """Export a day; writers that keep it waiting are finished as the next steps say."""
        self.days += 1
        shop = self.mall.model_copy(update={"clock": (START + timedelta(days=self.days)).isoformat()})
        with ThreadPoolExecutor(1) as reader:
            exported = reader.submit(inbox_file, shop, self.database, at(self.days - 1))
            if self.open:
                self._until_it_waits()
            while self.open:
                what, which = rest.pop(0) if rest else ("commit", 0)
                self.finish("roll back" if what == "roll back" else "commit", which)
            exported.result()

    def _until_it_waits(self) -> None:
        with self.database.connect() as connection:
            deadline = time.monotonic() + 10
            while connection.scalar(WAITING) == 0:
                assert time.monotonic() < deadline
                time.sleep(0.002)
                connection.rollback()

    def exported(self) -> list[str]:
        paths = self.mall.lake.landing("inbox").glob("*/inbox.jsonl")
        return [json.loads(line)["event_id"] for path in paths for line in path.read_text().splitlines()]


@contextmanager
def empty_inbox(services: Settings) -> Iterator[Engine]:
    found = engine(services)
    try:
        with found.begin() as connection:
            connection.execute(delete(inbox))
        yield found
    finally:
        with found.begin() as connection:
            connection.execute(delete(inbox))
        found.dispose()


@pytest.mark.integration
@searching(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
@example(steps=[("open", 3), ("open", 0), ("commit", 1), ("export", 0), ("commit", 0), ("export", 0)])
@example(steps=[("open", 0), ("open", 2), ("export", 0), ("commit", 1), ("roll back", 0), ("open", 1), ("commit", 0)])
def test_the_inbox_is_read_exactly_once(
    services: Settings, make_settings: Callable[..., Settings], tmp_path_factory: Any, steps: list[Step]
) -> None:
    mall = make_settings(tmp_path_factory.mktemp("mall"))
    with empty_inbox(services) as database:
        state, rest = Inbox(database, mall), list(steps)
        while rest:
            state.step(*rest.pop(0), rest)
        while state.open:
            state.finish("commit", 0)
        state.days += 10  # whatever lay ahead has come
        state.export([])
        assert Counter(state.exported()) == Counter(state.committed)


@pytest.mark.thorough
@searching(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
@example(steps=[("open", 0), ("open", 0), ("commit", 1), ("export", 0), ("commit", 0), ("export", 0)])
def test_a_table_is_taken_exactly_once(
    make_settings: Callable[..., Settings], tmp_path_factory: Any, steps: list[Step]
) -> None:
    """Ids are given out in order and committed in any; the overlap is as wide as any gap between the two."""
    folder = tmp_path_factory.mktemp("till")
    with closing(sqlite3.connect(folder / "till.db")) as till:
        till.execute("CREATE TABLE t (id INTEGER, event_id TEXT, item_id TEXT, event_type TEXT, occurred_at TEXT)")
        shop = make_settings(
            folder / "home",
            clock="2000-06-01T00:00:00+00:00",
            source="canonical",
            sql_url=f"sqlite:///{folder / 'till.db'}",
            sql_query="t",
            sql_watermark="id",
            sql_overlap=len(steps),
        )
        taken = replay(till, shop, [*steps, ("export", 0)])
    assert Counter(log(shop)) == Counter(taken)


def replay(till: sqlite3.Connection, shop: Settings, steps: list[Step]) -> list[str]:
    """Every step; returns the ids that were committed before the last export."""
    opened: list[int] = []
    committed: list[str] = []
    numbers, days = iter(range(1, 100)), iter(range(100))
    for what, which in steps:
        if what == "open":
            opened.append(next(numbers))
        elif what == "export":
            manifests = take_day(shop, "canonical", at(next(days)))
            publish(shop, [manifest.delivery_id for manifest in manifests], gated=False)
        elif opened:
            number = opened.pop(which % len(opened))
            if what == "commit":
                till.execute(
                    "INSERT INTO t VALUES (?, ?, 'i', 'view', ?)", [number, f"e{number}", f"{at(which)} 09:00"]
                )
                till.commit()
                committed.append(f"e{number}")
    return committed


def log(shop: Settings) -> list[str]:
    """Event ids in the log, of closed days and of days that are to come."""
    folders = shop.lake.events_day(at(0)).parent.glob("dt=*/*.parquet")
    return [event_id for path in folders for event_id in pq.ParquetFile(path).read()["event_id"].to_pylist()]
