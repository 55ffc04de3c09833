"""A SQL source on a real PostgreSQL: exact texts, one view, little memory, and a connection that breaks."""

from __future__ import annotations

import json
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Connection, Engine, event, text

from features.events.arrivals import take_day
from features.events.exports.sql import sql_file
from infra.children import child_environment
from infra.database import database_url, engine
from infra.errors import PenchantError, ServiceError
from infra.settings import Settings

pytestmark = pytest.mark.integration

FIRST, SECOND, THIRD = (date(2010, 12, day) for day in (1, 2, 3))
CANONICAL = "canonical"
PROJECT = Path(__file__).resolve().parents[4]


@pytest.fixture
def database(services: Settings) -> Iterator[Engine]:
    """Commits every statement; schemas that tests make are theirs to name."""
    found = engine(services).execution_options(isolation_level="AUTOCOMMIT")
    yield found
    found.dispose()


@pytest.fixture
def store(database: Engine) -> Iterator[str]:
    """The name of a schema that lasts for the test, odd enough to need quotes."""
    name = f"Old Store {uuid4().hex[:8]}"
    do(database, f'CREATE SCHEMA "{name}"')
    yield name
    do(database, f'DROP SCHEMA "{name}" CASCADE')


@pytest.fixture
def ask(tmp_path: Path, services: Settings, make_settings: Callable[..., Settings]) -> Callable[..., Settings]:
    """Settings of one home that read the services' database; keywords override them."""
    url = database_url(services, "penchant").render_as_string(hide_password=False)

    def make(**overrides: Any) -> Settings:
        asked = {"sql_url": url.replace("+psycopg2", ""), "sql_watermark": "id", "source": CANONICAL}
        return make_settings(tmp_path / "home", **{"clock": "2010-12-10T01:00:00+00:00", **asked, **overrides})

    return make


def do(database: Engine, statement: str) -> None:
    with database.connect() as connection:
        connection.execute(text(statement.replace(":", r"\:")))


def lines(path: Path | None) -> list[dict[str, Any]]:
    assert path is not None
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def ids(path: Path | None) -> list[int]:
    return [int(line["id"]) for line in lines(path)]


def test_a_table_with_a_schema_and_odd_names(ask: Any, database: Engine, store: str) -> None:
    do(database, f'CREATE TABLE "{store}"."order" ("Id" bigint, "select" text, "100%" text)')
    do(database, f"INSERT INTO \"{store}\".\"order\" VALUES (1, 'a', '%(x)s')")
    shop = ask(sql_query=f'"{store}"."order"', sql_watermark="Id")
    assert lines(sql_file(shop, CANONICAL, FIRST)) == [{"Id": "1", "select": "a", "100%": "%(x)s"}]
    do(database, f'INSERT INTO "{store}"."order" VALUES (9223372036854775807)')
    assert lines(sql_file(shop, CANONICAL, SECOND)) == [{"Id": "9223372036854775807", "select": None, "100%": None}]


def test_values_are_exact_texts(ask: Any) -> None:
    query = r"""SELECT 1 AS id, 12345678901234567890.10::numeric(30, 2) AS amount, 0.1::float8 AS ratio,
        '2010-12-01 09:30:00.000001+05:30'::timestamptz AS at, 'infinity'::timestamp AS forever,
        '4000-01-01 BC'::date AS past, '\x00ff'::bytea AS raw, NULL::text AS nothing, '' AS blank, true AS yes,
        '{"b": 1.10, "a": [9007199254740993]}'::jsonb AS told, ARRAY['a', NULL] AS tags, E'\u00fc\n"\\' AS said"""
    [line] = lines(sql_file(ask(sql_query=query), CANONICAL, FIRST))
    assert line == {
        "id": "1",
        "amount": "12345678901234567890.10",
        "ratio": "0.1",
        "at": "2010-12-01 04:00:00.000001+00",
        "forever": "infinity",
        "past": "4000-01-01 BC",
        "raw": "\\x00ff",
        "nothing": None,
        "blank": "",
        "yes": "true",
        "told": '{"a": [9007199254740993], "b": 1.10}',
        "tags": "{a,NULL}",
        "said": 'ü\n"\\',
    }


def test_a_delivery_of_a_query_is_taken_like_any_other(ask: Any) -> None:
    query = """SELECT n AS id, 'e' || n AS event_id, 'u' AS user_id, 'i' AS item_id, 'purchase' AS event_type,
        199 AS price, 4.50::numeric AS rating, '2010-12-01 23:30:00-02:00'::timestamptz AS occurred_at
        FROM generate_series(1, 3) AS n"""
    [manifest] = take_day(ask(sql_query=query), CANONICAL, SECOND)
    assert (manifest.accepted, manifest.quarantined) == (3, 0)


@pytest.mark.parametrize("driver", ["psycopg2", "psycopg"])
@pytest.mark.parametrize(
    ("kind", "values", "again"),
    [
        ("timestamptz", ("2010-12-01 09:00:00.000001+02", "2010-12-01 09:00:00.000002+02"), True),
        ("timestamp", ("2010-12-01 09:00:00.000001", "2010-12-01 09:00:00.000002"), True),
        ("date", ("2010-12-01", "2010-12-02"), True),
        ("numeric", ("1.000000000000000000001", "1.000000000000000000002"), False),
        ("bigint", ("9007199254740992", "9007199254740993"), False),
        ('text COLLATE "C"', ("01Z", "01a"), False),
    ],
)
def test_every_kind_of_watermark(
    ask: Any, database: Engine, store: str, kind: str, values: tuple[str, str], again: bool, driver: str
) -> None:
    """A time may be shared by rows, so its last one is read again; everything else belongs to one row."""
    do(database, f'CREATE TABLE "{store}".t (id int, w {kind})')
    url = ask(sql_query="t").sql_url.get_secret_value().replace("postgresql:", f"postgresql+{driver}:")
    shop = ask(sql_query=f'"{store}".t', sql_watermark="w", sql_url=url)
    for number, (value, day) in enumerate(zip(values, (FIRST, SECOND), strict=True)):
        do(database, f"INSERT INTO \"{store}\".t VALUES ({number}, '{value}')")
        assert ids(sql_file(shop, CANONICAL, day))[-1] == number
    assert ids(sql_file(shop, CANONICAL, SECOND)) == ([0, 1] if again else [1])
    do(database, f"INSERT INTO \"{store}\".t VALUES (2, '{values[1]}')")
    third = sql_file(shop, CANONICAL, THIRD)
    assert third is None or sorted(ids(third)) == [1, 2]
    assert (third is not None) == again


@pytest.mark.parametrize(
    ("kind", "overlap", "found"),
    [
        ("timestamptz", 0, [3]),
        ("timestamptz", 59, [3]),
        ("timestamptz", 60, [2, 3]),
        ("date", 0, [2, 3]),
        ("date", 86_400, [1, 2, 3]),
        ("date", 86_401, [0, 1, 2, 3]),
    ],
)
def test_the_overlap_of_a_time_is_in_seconds(
    ask: Any, database: Engine, store: str, kind: str, overlap: int, found: list[int]
) -> None:
    """A date is the beginning of its day."""
    do(database, f'CREATE TABLE "{store}".t (id int, w {kind})')
    for number, moment in enumerate(("11-29 09:01", "11-30 09:01", "12-01 09:00", "12-01 09:01")):
        do(database, f"INSERT INTO \"{store}\".t VALUES ({number}, '2010-{moment}+00')")
    shop = ask(sql_query=f'"{store}".t', sql_watermark="w", sql_overlap=overlap)
    assert sorted(ids(sql_file(shop, CANONICAL, FIRST))) == [0, 1, 2, 3]
    assert sorted(ids(sql_file(shop, CANONICAL, SECOND))) == found


def test_the_overlap_of_a_number_is_exact(ask: Any, database: Engine, store: str) -> None:
    do(database, f'CREATE TABLE "{store}".t (id int, w numeric)')
    for number in (0, 1, 6):
        do(database, f'INSERT INTO "{store}".t VALUES ({number}, 1234567890123456789012345678900{number})')
    shop = ask(sql_query=f'"{store}".t', sql_watermark="w", sql_overlap=6)
    assert ids(sql_file(shop, CANONICAL, FIRST)) == [0, 1, 6]
    assert ids(sql_file(shop, CANONICAL, SECOND)) == [1, 6]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("SELECT 1 AS id, 'infinity'::timestamptz AS w", "highest watermark w is 9999-12-31"),
        ("SELECT 1 AS id, 'NaN'::numeric AS w", "highest watermark w is NaN"),
        (r"SELECT 1 AS id, '\x00'::bytea AS w", "watermark w has values of the type memoryview"),
        ("SELECT 1 AS id, 1 AS w FROM nowhere", 'relation "nowhere" does not exist'),
        ("SELECT 1 AS id, 2 AS id, 3 AS w", "gives a column twice: id"),
        ("SELECT 1, 2, 3 AS w", r"gives a column twice: \?column\?"),
        ("SELECT 1 / 0 AS w", "division by zero"),
        ("WITH gone AS (DELETE FROM inbox RETURNING 1) SELECT 1 AS w FROM gone", "data-modifying"),
        ("SELECT nextval('inbox_position_seq') AS w", "read-only transaction"),
    ],
)
def test_what_cannot_be_read_is_said(ask: Any, query: str, message: str) -> None:
    shop = ask(sql_query=query, sql_watermark="w")
    with pytest.raises(PenchantError, match=message) as refused:
        take_day(shop, CANONICAL, FIRST)
    assert not shop.lake.root.exists()
    without_password(shop, refused.value)


def without_password(shop: Settings, error: BaseException) -> None:
    assert shop.sql_url is not None
    password = shop.sql_url.get_secret_value().split(":")[2].split("@")[0]
    assert len(password) > 10
    assert password not in "".join(traceback.format_exception(error))


@pytest.mark.parametrize("wrong", ["password", "port", "host"])
def test_a_database_that_does_not_let_us_in_is_named_without_its_password(ask: Any, wrong: str) -> None:
    url = ask(sql_query="inbox").sql_url.get_secret_value()
    port = url.rsplit(":", 1)[1].split("/")[0]
    replaced = {"password": ("@", "x@"), "port": (port, "9"), "host": ("127.0.0.1", "no.such.host.invalid")}[wrong]
    shop = ask(sql_query="inbox", sql_url=url.replace(*replaced) + "?application_name=hidden")
    with pytest.raises(ServiceError, match=r"postgresql\+psycopg2://penchant:\*\*\*@.*/penchant does not") as refused:
        take_day(shop, CANONICAL, FIRST)
    without_password(shop, refused.value)
    assert "hidden" not in str(refused.value)


def test_an_export_sees_one_moment(ask: Any, database: Engine, store: str) -> None:
    """Rows that are committed while it reads, below its highest watermark too, are not half of it."""
    do(database, f'CREATE TABLE "{store}".t (id int, w int)')
    do(database, f'INSERT INTO "{store}".t VALUES (1, 1), (5, 5)')
    shop = ask(sql_query=f'"{store}".t', sql_watermark="w", sql_overlap=10)
    told: list[str] = []

    def meanwhile(connection: Connection, cursor: Any, statement: str, *_: Any) -> None:
        if "max(" in statement and not told:
            told.append(statement)
            do(database, f'INSERT INTO "{store}".t VALUES (3, 3), (7, 7)')

    event.listen(Engine, "after_cursor_execute", meanwhile)
    try:
        assert ids(sql_file(shop, CANONICAL, FIRST)) == [1, 5]
    finally:
        event.remove(Engine, "after_cursor_execute", meanwhile)
    assert told
    assert ids(sql_file(shop, CANONICAL, SECOND)) == [1, 3, 5, 7]


@pytest.mark.parametrize("driver", ["psycopg2", "psycopg"])
def test_a_connection_that_breaks_in_the_midst_leaves_nothing(
    ask: Any, database: Engine, monkeypatch: pytest.MonkeyPatch, driver: str
) -> None:
    query = "SELECT id, repeat('x', 100) AS pad FROM generate_series(1, 25000) AS id"
    url = ask(sql_query=query).sql_url.get_secret_value().replace("postgresql:", f"postgresql+{driver}:")
    shop = ask(sql_query=query, sql_url=url)
    real, written = json.dumps, []

    def broken(row: dict[str, str], **keywords: Any) -> str:
        written.append(row["id"])
        if len(written) == 12_000:  # in the second of three helpings
            do(database, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'FETCH%'")
        return real(row, **keywords)

    with monkeypatch.context() as patched:
        patched.setattr("features.events.exports.export.json.dumps", broken)
        with pytest.raises(ServiceError, match=r"\*\*\*@127.* does not answer: .*next run takes everything") as refused:
            take_day(shop, CANONICAL, FIRST)
    assert len(written) >= 12_000
    without_password(shop, refused.value)
    assert [path for path in shop.lake.root.rglob("*") if path.is_file()] == []
    assert len(lines(sql_file(shop, CANONICAL, FIRST))) == 25_000


SCRIPT = """
import resource
from datetime import date
from infra.settings import load_settings
from features.events.exports.sql import sql_file

settings = load_settings()
small = sql_file(settings, "canonical", date(2010, 12, 1))
assert small is None
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
path = sql_file(settings.model_copy(update={"sql_query": settings.sql_query.replace("0) AS id", "1000000) AS id")}),
    "canonical", date(2010, 12, 2))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, path.stat().st_size)
"""


def test_a_million_rows_are_not_held(ask: Any) -> None:
    query = "SELECT id, repeat('x', 200) AS pad FROM generate_series(1, 0) AS id"
    environment = child_environment(ask(sql_query=query))
    command = [sys.executable, "-W", "error", "-c", SCRIPT]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=PROJECT, env=environment)
    assert done.returncode == 0, done.stderr
    kilobytes, size = map(int, done.stdout.split())
    assert size > 200_000_000
    assert kilobytes < 60_000
