"""A SQL query as a source: what is new in a database becomes a day's delivery, and nothing of it is lost."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from features.events.arrivals import take_day, take_history
from features.events.delivery import skip
from features.events.publish import publish
from features.events.sql import sql_file
from infra.errors import DeliveryError, PenchantError, ServiceError, SettingsError
from infra.partitions import Span
from infra.settings import Settings

FIRST, SECOND, THIRD = (date(2010, 12, day) for day in (1, 2, 3))
CANONICAL = "canonical"


@pytest.fixture
def till(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A database with the empty table ``clicks``."""
    with closing(sqlite3.connect(tmp_path / "till.db")) as connection:
        connection.execute(
            "CREATE TABLE clicks (id INTEGER PRIMARY KEY, event_id TEXT, user_id TEXT, item_id TEXT, "
            "event_type TEXT, occurred_at TEXT, changed TEXT, extra BLOB)"
        )
        yield connection


@pytest.fixture
def ask(tmp_path: Path, make_settings: Callable[..., Settings]) -> Callable[..., Settings]:
    """Settings of one home that read the table; keywords override them."""

    def make(**overrides: Any) -> Settings:
        asked = {"sql_url": f"sqlite:///{tmp_path / 'till.db'}", "sql_query": "clicks", "sql_watermark": "id"}
        given = {"clock": "2010-12-10T01:00:00+00:00", "source": CANONICAL, **asked, **overrides}
        return make_settings(tmp_path / "home", **given)

    return make


def click(till: sqlite3.Connection, number: int, moment: str = "2010-12-01 09:00", **cells: Any) -> None:
    said = {"event_id": f"e{number}", "item_id": "i", "event_type": "view", "occurred_at": moment, **cells}
    names = ", ".join(said)
    till.execute(f"INSERT INTO clicks (id, {names}) VALUES (?{', ?' * len(said)})", [number, *said.values()])
    till.commit()


def lines(path: Path | None) -> list[dict[str, Any]]:
    assert path is not None
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def ids(path: Path | None) -> list[int]:
    return [int(line["id"]) for line in lines(path)]


def marker(shop: Settings, day: date) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((shop.lake.landing_day(CANONICAL, day) / "_delivery.json").read_text())
    return found


def landed(shop: Settings) -> list[str]:
    root = shop.lake.root
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()) if root.exists() else []


def test_a_day_is_what_is_above_the_last_watermark(ask: Any, till: sqlite3.Connection) -> None:
    shop = ask()
    click(till, 1)
    click(till, 2, "2010-12-02 00:10")
    [first] = take_day(shop, CANONICAL, FIRST)
    assert (first.rows_in, first.accepted, first.early) == (2, 1, 1)
    click(till, 3, "2010-12-01 23:00")
    click(till, 4, "2010-12-02 09:00")
    [second] = take_day(shop, CANONICAL, SECOND)
    assert (second.rows_in, second.accepted, second.late, second.duplicate) == (2, 1, 1, 0)
    watermark = marker(shop, SECOND)["watermark"]
    assert (watermark["number"], watermark["after"]["value"], watermark["last"]["value"]) == (2, "2", "4")


def test_a_day_goes_on_where_the_last_export_ended_whatever_day_that_was_for(
    ask: Any, till: sqlite3.Connection
) -> None:
    shop = ask()
    for number, day in enumerate((THIRD, FIRST, SECOND), start=9):  # 10 is more than 9, and less as a text
        click(till, number, f"{FIRST} 09:00")
        assert ids(sql_file(shop, CANONICAL, day)) == [number]


def test_a_day_that_was_exported_keeps_its_file(ask: Any, till: sqlite3.Connection) -> None:
    shop = ask()
    click(till, 1)
    manifests = take_day(shop, CANONICAL, FIRST)
    path = sql_file(shop, CANONICAL, FIRST)
    assert path is not None
    before = path.read_bytes()
    click(till, 2)
    assert take_day(shop, CANONICAL, FIRST) == manifests
    assert path.read_bytes() == before


def test_a_day_without_new_rows_is_empty_and_says_why(ask: Any, till: sqlite3.Connection) -> None:
    shop = ask()
    click(till, 1)
    take_day(shop, CANONICAL, FIRST)
    [manifest] = take_day(shop, CANONICAL, SECOND)
    assert (manifest.closed, manifest.reason) == ("empty", "the database had no new rows")
    assert publish(shop, [manifest.delivery_id], gated=False) == [SECOND]
    assert marker(shop, SECOND)["watermark"]["last"]["value"] == "1"
    click(till, 2)
    assert ids(sql_file(shop, CANONICAL, THIRD)) == [2]


def test_a_database_that_never_had_a_row_has_no_watermark(ask: Any, till: sqlite3.Connection) -> None:
    shop = ask()
    assert sql_file(shop, CANONICAL, FIRST) is None
    click(till, -5)
    assert ids(sql_file(shop, CANONICAL, SECOND)) == [-5]


def test_a_released_day_is_not_read_and_its_rows_come_late(ask: Any, till: sqlite3.Connection) -> None:
    shop = ask()
    click(till, 1)
    skip(shop, CANONICAL, FIRST, "the database was moved")
    [released] = take_day(shop, CANONICAL, FIRST)
    assert (released.closed, released.rows_in) == ("skipped", 0)
    [second] = take_day(shop, CANONICAL, SECOND)
    assert (second.late, second.accepted) == (1, 0)


def test_a_day_that_goes_on_is_not_read(ask: Any, till: sqlite3.Connection) -> None:
    shop = ask(clock="2010-12-01T20:00:00+00:00")
    click(till, 1)
    with pytest.raises(SettingsError, match="2010-12-01 is not over"):
        take_day(shop, CANONICAL, FIRST)
    with pytest.raises(SettingsError, match="2010-12-01 is not over"):
        take_history(shop, CANONICAL, Span.of_day(FIRST))
    assert landed(shop) == []


def test_history_is_everything_once_and_days_go_on_from_it(ask: Any, till: sqlite3.Connection) -> None:
    shop = ask()
    click(till, 1, "2010-11-30 09:00")
    assert ids(sql_file(shop, CANONICAL, THIRD)) == [1]
    click(till, 2)
    span = Span(date(2010, 11, 30), SECOND)
    manifest = take_history(shop, CANONICAL, span)
    assert (manifest.rows_in, manifest.accepted, manifest.bulk) == (2, 2, True)
    click(till, 3, "2010-12-02 09:00")
    assert take_history(shop, CANONICAL, span) == manifest
    assert ids(sql_file(shop, CANONICAL, SECOND)) == [3]


def test_a_history_without_rows_is_refused_and_tried_again(ask: Any, till: sqlite3.Connection) -> None:
    shop = ask()
    with pytest.raises(DeliveryError, match="sql_query has no rows"):
        take_history(shop, CANONICAL, Span.of_day(FIRST))
    click(till, 1)
    assert take_history(shop, CANONICAL, Span.of_day(FIRST)).accepted == 1


@pytest.mark.parametrize("rows", [0, 1])
def test_an_export_that_was_cut_short_is_made_again(ask: Any, till: sqlite3.Connection, rows: int) -> None:
    shop = ask()
    for number in range(rows):
        click(till, number)
    folder = shop.lake.landing_day(CANONICAL, FIRST)
    folder.mkdir(parents=True)
    for name in ("sql.jsonl", ".sql.jsonl.123"):
        (folder / name).write_text("{half")
    assert take_day(shop, CANONICAL, FIRST)[0].accepted == rows
    assert sorted(path.name for path in folder.iterdir()) == ["_delivery.json", "sql.jsonl"][: rows + 1]


def test_rows_of_one_moment_are_not_lost_between_exports(ask: Any, till: sqlite3.Connection) -> None:
    """Two rows share a second; the export falls between them: of a time, the last one is read again."""
    shop = ask(sql_query="SELECT *, unixepoch(changed) AS seconds FROM clicks", sql_watermark="seconds", sql_overlap=1)
    click(till, 1, changed="2010-12-01 09:00:00")
    assert ids(sql_file(shop, CANONICAL, FIRST)) == [1]
    click(till, 2, changed="2010-12-01 09:00:00")
    assert ids(sql_file(shop, CANONICAL, SECOND)) == [1, 2]


def test_the_overlap_reads_again_what_was_committed_out_of_order(ask: Any, till: sqlite3.Connection) -> None:
    shop = ask(sql_overlap=2)
    click(till, 1)
    click(till, 4)
    take_day(shop, CANONICAL, FIRST)
    click(till, 3)
    [second] = take_day(shop, CANONICAL, SECOND)
    assert (second.rows_in, second.late) == (2, 2)
    publish(shop, [second.delivery_id], gated=False)
    [third] = take_day(shop, CANONICAL, THIRD)
    assert (third.rows_in, third.duplicate) == (2, 2)


def test_texts_as_watermarks_have_no_overlap(ask: Any, till: sqlite3.Connection) -> None:
    click(till, 1)
    by_text = {"sql_watermark": "event_id"}
    assert ids(sql_file(ask(**by_text), CANONICAL, FIRST)) == [1]
    click(till, 2)
    with pytest.raises(SettingsError, match="sql_overlap needs a watermark of numbers or times"):
        sql_file(ask(**by_text, sql_overlap=1), CANONICAL, SECOND)
    assert ids(sql_file(ask(**by_text), CANONICAL, SECOND)) == [2]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sql_query": "SELECT * FROM clicks ;\n"}, "ends in ';'"),
        ({"sql_query": "DELETE FROM clicks"}, "neither a SELECT nor the name of a table: DELETE FROM clicks"),
        ({"sql_query": "nowhere"}, "no such table: nowhere"),
        ({"sql_query": "SELECT * FROM clicks; SELECT 1"}, "near"),
        ({"sql_query": "SELECT *, 1 AS Item_Id FROM clicks"}, "gives a column twice: item_id"),
        ({"sql_query": "SELECT a.id, b.id FROM clicks a, clicks b"}, "gives a column twice: id"),
        ({"sql_watermark": "number"}, "has no column number; found: id, event_id, user_id"),
        ({"sql_watermark": "changed"}, "1 rows of sql_query have no changed: they would never be read"),
        ({"sql_watermark": "extra"}, "watermark extra has values of the type bytes"),
        ({"sql_query": "SELECT *, 9e999 AS n FROM clicks", "sql_watermark": "n"}, "highest watermark n is inf"),
        ({"sql_url": "sqlite:////nowhere/at/all.db"}, "unable to open database file"),
        ({"source": "inbox"}, "no place for the rows of sql_url"),
    ],
)
def test_what_cannot_be_read_is_said_and_nothing_is_left(
    ask: Any, till: sqlite3.Connection, settings: dict[str, str], message: str
) -> None:
    click(till, 1, extra=b"x")
    shop = ask(**settings)
    with pytest.raises(PenchantError, match=message):
        take_day(shop, shop.source, FIRST)
    assert landed(shop) == []
    assert till.execute("SELECT count(*) FROM clicks").fetchone() == (1,)
    assert take_day(ask(), CANONICAL, FIRST)[0].accepted == 1


@pytest.mark.parametrize(
    "url", ["", "till", "postgresql://me:sec@ret@db/till", "oracle9://me:secret@db/till", "mysql://me:secret@db/till"]
)
def test_an_address_that_cannot_be_used_is_refused_without_showing_it(ask: Any, url: str) -> None:
    shop = ask(sql_url=url)
    with pytest.raises(SettingsError, match="sql_url") as refused:
        take_day(shop, CANONICAL, FIRST)
    said: BaseException | None = refused.value
    while said is not None:
        assert "ret" not in str(said)
        said = said.__cause__


def test_a_database_that_went_back_is_refused(ask: Any, till: sqlite3.Connection) -> None:
    shop = ask()
    click(till, 1)
    click(till, 2)
    sql_file(shop, CANONICAL, FIRST)
    till.execute("DELETE FROM clicks WHERE id = 2")
    till.commit()
    with pytest.raises(DeliveryError, match=r"ends before the place .* or was emptied.*delete .*/_delivery\.json"):
        sql_file(shop, CANONICAL, SECOND)
    click(till, 3)
    assert ids(sql_file(shop, CANONICAL, SECOND)) == [3]


def test_a_watermark_of_another_question_is_not_gone_on_from(ask: Any, till: sqlite3.Connection) -> None:
    click(till, 1)
    sql_file(ask(), CANONICAL, FIRST)
    click(till, 2)
    other = ask(sql_query="SELECT * FROM clicks")
    with pytest.raises(
        DeliveryError, match=r'is not what it was when 1 was the last value.*"of": "([0-9a-f]{16})"'
    ) as e:
        sql_file(other, CANONICAL, SECOND)
    path = other.lake.landing_day(CANONICAL, FIRST) / "_delivery.json"
    written = json.loads(path.read_text())
    written["watermark"]["last"]["of"] = e.value.mend.split('"')[3]
    path.write_text(json.dumps(written))
    assert ids(sql_file(other, CANONICAL, SECOND)) == [2]


def test_a_lake_that_is_older_than_the_database_reads_again_and_knows_it(ask: Any, till: sqlite3.Connection) -> None:
    shop = ask()
    for number, day in ((1, FIRST), (2, SECOND)):
        click(till, number, f"{day} 09:00")
        publish(shop, [manifest.delivery_id for manifest in take_day(shop, CANONICAL, day)], gated=False)
    (shop.lake.landing_day(CANONICAL, SECOND) / "_delivery.json").unlink()
    click(till, 3)
    [third] = take_day(shop, CANONICAL, THIRD)
    assert (third.rows_in, third.duplicate, third.late) == (2, 1, 1)


def test_files_of_ones_own_may_lie_beside_but_not_a_marker(ask: Any, till: sqlite3.Connection, write: Any) -> None:
    shop = ask()
    click(till, 1)
    folder = shop.lake.landing_day(CANONICAL, FIRST)
    row = {"event_id": "own", "item_id": "i", "event_type": "view", "occurred_at": "2010-12-01 10:00"}
    write("own.csv", [row], folder)
    (folder / "_delivery.json").write_text('{"delivered_at": "2010-12-02T00:00:00+00:00"}')
    with pytest.raises(DeliveryError, match=r"_delivery\.json lies where an export writes its own"):
        take_day(shop, CANONICAL, FIRST)
    (folder / "_delivery.json").unlink()
    assert take_day(shop, CANONICAL, FIRST)[0].accepted == 2


def test_a_marker_that_cannot_be_read_is_not_passed_over(ask: Any, till: sqlite3.Connection) -> None:
    shop = ask()
    folder = shop.lake.landing_day(CANONICAL, FIRST)
    folder.mkdir(parents=True)
    (folder / "_delivery.json").write_text("[")
    with pytest.raises(DeliveryError, match=r"dt=2010-12-01/_delivery\.json cannot be used.*how far a database"):
        sql_file(shop, CANONICAL, SECOND)


def test_any_adapter_reads_the_columns_that_the_query_names(ask: Any, till: sqlite3.Connection) -> None:
    click(till, 1, "2010-12-01 08:26:00")
    # with a comment at its end, colons in a text, and a percent sign
    query = """
        SELECT id, '5363:65' AS Invoice, item_id AS StockCode, '100% :wool' AS Description, '6' AS Quantity,
            occurred_at AS InvoiceDate, 2.55 AS Price, 17850.0 AS "Customer ID" FROM clicks -- the till's"""
    shop = ask(source="online-retail", sql_query=query)
    [manifest] = take_day(shop, "online-retail", FIRST)
    assert manifest.accepted == 1
    [line] = lines(shop.lake.landing_day("online-retail", FIRST) / "sql.jsonl")
    assert (line["Description"], line["Invoice"]) == ("100% :wool", "5363:65")


def test_values_go_back_as_parameters(ask: Any, till: sqlite3.Connection) -> None:
    shop = ask(sql_watermark="event_id")
    hostile = "' OR 1=1 --"
    click(till, 1, event_id=hostile)
    sql_file(shop, CANONICAL, FIRST)
    seen: list[tuple[str, Any]] = []

    def note(connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        seen.append((statement, parameters))

    click(till, 2, event_id="(")
    event.listen(Engine, "before_cursor_execute", note)
    try:
        assert ids(sql_file(shop, CANONICAL, SECOND)) == [2]
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    assert any(hostile in parameters for _, parameters in seen)
    assert not any(hostile in statement for statement, _ in seen)


def test_other_databases_values_are_exact_texts(ask: Any, till: sqlite3.Connection, tmp_path: Path) -> None:
    """Those that Python's types hold; SQLite's driver makes such values where it is told to."""
    kinds = {"exact": Decimal, "moment": datetime.fromisoformat, "day": date.fromisoformat, "listed": json.loads}
    for name, made in kinds.items():
        sqlite3.register_converter(name, lambda said, made=made: made(said.decode()))
    till.execute("CREATE TABLE k (id int, a exact, b moment, c day, d listed, e blob, f real, g int, h text, i exact)")
    given = ["1E-7", "2010-12-01T09:00:00+05:30", "2010-12-01", '{"a": ["ü"]}', b"\x00\xff", 0.1, 2**60, "ü\n", None]
    till.execute("INSERT INTO k VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?)", given)
    till.commit()
    shop = ask(sql_query="k", sql_url=f"sqlite:///{tmp_path / 'till.db'}?detect_types=1")
    assert list(lines(sql_file(shop, CANONICAL, FIRST))[0].values()) == [
        "0.00000010",
        "2010-12-01T09:00:00+05:30",
        "2010-12-01",
        '{"a": ["ü"]}',
        "\\x00ff",
        "0.1",
        "1152921504606846976",
        "ü\n",
        None,
        "1",
    ]


def test_an_export_sees_one_moment(ask: Any, till: sqlite3.Connection) -> None:
    shop = ask(sql_overlap=10)
    till.execute("PRAGMA journal_mode = wal")  # else nobody could write while it reads
    click(till, 1)
    told: list[str] = []

    def meanwhile(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if "max(" in statement and not told:
            told.append(statement)
            click(till, 2)

    event.listen(Engine, "after_cursor_execute", meanwhile)
    try:
        assert ids(sql_file(shop, CANONICAL, FIRST)) == [1]
    finally:
        event.remove(Engine, "after_cursor_execute", meanwhile)
    assert ids(sql_file(shop, CANONICAL, SECOND)) == [1, 2]


def test_an_error_in_the_midst_leaves_nothing_and_the_next_run_takes_everything(
    ask: Any, till: sqlite3.Connection
) -> None:
    for number in range(1, 4):
        click(till, number, extra=b"1" if number < 3 else b"not JSON")
    query = {"sql_query": "SELECT *, json_extract(CAST(extra AS TEXT), '$') AS told FROM clicks"}
    shop = ask(**query)
    with pytest.raises(ServiceError, match=r"sqlite:.*till\.db does not answer: malformed JSON"):
        take_day(shop, CANONICAL, FIRST)
    assert landed(shop) == []
    till.execute("UPDATE clicks SET extra = '3'")
    till.commit()
    assert take_day(shop, CANONICAL, FIRST)[0].accepted == 3
