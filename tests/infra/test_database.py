"""Databases, migrations, and the ledger that only grows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, insert, inspect, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError

from infra.database import DATABASES, create_databases, database_url, engine, migrate
from infra.errors import ServiceError, SettingsError
from infra.ports import free_port
from infra.settings import Settings, load_settings
from infra.tables import inbox, ledger, metadata

ENTRY: dict[str, Any] = {
    "actor": "test", "action": "promote", "model": "tests-of-the-database", "version": 2, "previous_version": 1,
    "run_id": "r", "data_digest": "d", "reason": "better", "verdict": {"won": True}, "state": "intent",
}  # fmt: skip
SENTENCES = {
    "delete": "DELETE FROM ledger WHERE model = 'tests-of-the-database'",
    "update": "UPDATE ledger SET version = 3 WHERE model = 'tests-of-the-database'",
    "both": "UPDATE ledger SET state = 'failed', reason = '' WHERE model = 'tests-of-the-database'",
    "truncate": "TRUNCATE ledger",
}


@pytest.fixture
def penchant(services: Settings) -> Iterator[Engine]:
    found = engine(services)
    yield found
    found.dispose()


@pytest.mark.integration
def test_all_databases_are_there_and_made_once(services: Settings) -> None:
    assert create_databases(services) == []
    for name in DATABASES:
        database = engine(services, name)
        with database.connect() as connection:
            assert connection.scalar(text("SELECT current_database()")) == name
        database.dispose()


@pytest.mark.integration
def test_migrating_again_changes_nothing_and_equals_the_tables(services: Settings, penchant: Engine) -> None:
    migrate(services)
    with penchant.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


@pytest.mark.integration
def test_an_entry_keeps_all_but_its_state(penchant: Engine) -> None:
    with penchant.begin() as connection:
        found = connection.execute(insert(ledger).values(ENTRY).returning(ledger.c.id, ledger.c.at)).one()
        connection.execute(update(ledger).where(ledger.c.id == found.id).values(state="confirmed"))
        row = connection.execute(select(ledger).where(ledger.c.id == found.id)).one()
    assert {name: row._mapping[name] for name in ENTRY} == {**ENTRY, "state": "confirmed"}
    assert row.at.tzinfo is not None


@pytest.mark.integration
@pytest.mark.parametrize("what", SENTENCES)
def test_the_ledger_refuses_to_forget(penchant: Engine, what: str) -> None:
    with penchant.begin() as connection:
        connection.execute(insert(ledger).values(ENTRY))
    with pytest.raises(DBAPIError, match="append-only"), penchant.begin() as connection:
        connection.execute(text(SENTENCES[what]))


@pytest.mark.integration
@pytest.mark.parametrize("wrong", [{"action": "demote"}, {"state": "maybe"}, {"reason": None}])
def test_the_ledger_refuses_what_it_does_not_know(penchant: Engine, wrong: dict[str, Any]) -> None:
    with pytest.raises(IntegrityError), penchant.begin() as connection:
        connection.execute(insert(ledger).values({**ENTRY, **wrong}))


@pytest.mark.integration
def test_the_inbox_takes_an_event_once_and_orders_by_arrival(penchant: Engine) -> None:
    now = datetime.now(UTC)
    rows = [{"event_id": f"database-{n}", "user_id": None, "occurred_at": now, "payload": {"n": n}} for n in range(2)]
    with penchant.begin() as connection:
        connection.execute(insert(inbox), rows)
        found = connection.execute(
            select(inbox).where(inbox.c.event_id.like("database-%")).order_by(inbox.c.position)
        ).all()
    assert [row.payload["n"] for row in found] == [0, 1]
    with pytest.raises(IntegrityError), penchant.begin() as connection:
        connection.execute(insert(inbox).values(rows[0]))
    indexed = {tuple(index["column_names"]) for index in inspect(penchant).get_indexes("inbox")}
    assert {("user_id", "occurred_at"), ("occurred_at",)} <= indexed


def test_a_given_address_keeps_its_server_and_takes_the_four_names(settings: Settings) -> None:
    given = load_settings(settings.home, postgres_url="postgresql://me:p%40ss@db.example:6000/main?sslmode=require")
    url = database_url(given, "airflow")
    assert (url.drivername, url.host, url.port, url.database) == ("postgresql+psycopg2", "db.example", 6000, "airflow")
    assert (url.password, url.query["sslmode"]) == ("p@ss", "require")


@pytest.mark.parametrize("address", ["mysql://me@db", "no address"])
def test_an_address_that_is_none_is_refused(settings: Settings, address: str) -> None:
    with pytest.raises(SettingsError, match="postgres_url"):
        database_url(load_settings(settings.home, postgres_url=address), "penchant")


def test_a_server_that_is_down_is_a_clear_message(settings: Settings) -> None:
    nowhere = load_settings(settings.home, postgres_port=free_port())
    for use in (create_databases, migrate):
        with pytest.raises(ServiceError, match="penchant up"):
            use(nowhere)
