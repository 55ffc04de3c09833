"""A SQL query as a source: what is new in a database becomes a day's delivery, and nothing of it is lost."""

from __future__ import annotations

import json
import sqlite3
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from features.events.arrivals import take_day, take_history
from features.events.exports.sql import sql_file
from features.events.landing_folder import skip
from features.events.publish import publish
from infra.partitions import Span
from infra.settings import Settings

pytestmark = pytest.mark.thorough  # seconds in sum

FIRST, SECOND, THIRD = (date(2010, 12, day) for day in (1, 2, 3))
CANONICAL = "canonical"


def lines(path: Path | None) -> list[dict[str, Any]]:
    assert path is not None
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def ids(path: Path | None) -> list[int]:
    return [int(line["id"]) for line in lines(path)]


def marker(shop: Settings, day: date) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((shop.lake.landing_day(CANONICAL, day) / "_delivery.json").read_text())
    return found


def test_a_day_is_what_is_above_the_last_watermark(ask: Any, click: Any) -> None:
    shop = ask()
    click(1)
    click(2, "2010-12-02 00:10")
    [first] = take_day(shop, CANONICAL, FIRST)
    assert (first.rows_in, first.accepted, first.early) == (2, 1, 1)
    click(3, "2010-12-01 23:00")
    click(4, "2010-12-02 09:00")
    [second] = take_day(shop, CANONICAL, SECOND)
    assert (second.rows_in, second.accepted, second.late, second.duplicate) == (2, 1, 1, 0)
    watermark = marker(shop, SECOND)["watermark"]
    assert (watermark["number"], watermark["after"]["value"], watermark["last"]["value"]) == (2, "2", "4")


def test_a_day_goes_on_where_the_last_export_ended_whatever_day_that_was_for(ask: Any, click: Any) -> None:
    shop = ask()
    for number, day in enumerate((THIRD, FIRST, SECOND), start=9):  # 10 is more than 9, and less as a text
        click(number, f"{FIRST} 09:00")
        assert ids(sql_file(shop, CANONICAL, day)) == [number]


def test_a_day_that_was_exported_keeps_its_file(ask: Any, click: Any) -> None:
    shop = ask()
    click(1)
    manifests = take_day(shop, CANONICAL, FIRST)
    path = sql_file(shop, CANONICAL, FIRST)
    assert path is not None
    before = path.read_bytes()
    click(2)
    assert take_day(shop, CANONICAL, FIRST) == manifests
    assert path.read_bytes() == before


def test_a_day_without_new_rows_is_empty_and_says_why(ask: Any, click: Any) -> None:
    shop = ask()
    click(1)
    take_day(shop, CANONICAL, FIRST)
    [manifest] = take_day(shop, CANONICAL, SECOND)
    assert (manifest.closed, manifest.reason) == ("empty", "the database had no new rows")
    assert publish(shop, [manifest.delivery_id], gated=False) == [SECOND]
    assert marker(shop, SECOND)["watermark"]["last"]["value"] == "1"
    click(2)
    assert ids(sql_file(shop, CANONICAL, THIRD)) == [2]


def test_a_database_that_never_had_a_row_has_no_watermark(ask: Any, click: Any) -> None:
    shop = ask()
    assert sql_file(shop, CANONICAL, FIRST) is None
    click(-5)
    assert ids(sql_file(shop, CANONICAL, SECOND)) == [-5]


def test_a_released_day_is_not_read_and_its_rows_come_late(ask: Any, click: Any) -> None:
    shop = ask()
    click(1)
    skip(shop, CANONICAL, Span.of_day(FIRST), "the database was moved")
    [released] = take_day(shop, CANONICAL, FIRST)
    assert (released.closed, released.rows_in) == ("skipped", 0)
    [second] = take_day(shop, CANONICAL, SECOND)
    assert (second.late, second.accepted) == (1, 0)


def test_history_is_everything_once_and_days_go_on_from_it(ask: Any, click: Any) -> None:
    shop = ask()
    click(1, "2010-11-30 09:00")
    assert ids(sql_file(shop, CANONICAL, THIRD)) == [1]
    click(2)
    span = Span(date(2010, 11, 30), SECOND)
    manifest = take_history(shop, CANONICAL, span)
    assert (manifest.rows_in, manifest.accepted, manifest.bulk) == (2, 2, True)
    click(3, "2010-12-02 09:00")
    assert take_history(shop, CANONICAL, span) == manifest
    assert ids(sql_file(shop, CANONICAL, SECOND)) == [3]


@pytest.mark.parametrize("rows", [0, 1])
def test_an_export_that_was_cut_short_is_made_again(ask: Any, click: Any, rows: int) -> None:
    shop = ask()
    for number in range(rows):
        click(number)
    folder = shop.lake.landing_day(CANONICAL, FIRST)
    folder.mkdir(parents=True)
    for name in ("sql.jsonl", ".sql.jsonl.123"):
        (folder / name).write_text("{half")
    assert take_day(shop, CANONICAL, FIRST)[0].accepted == rows
    assert sorted(path.name for path in folder.iterdir()) == ["_delivery.json", "sql.jsonl"][: rows + 1]


def test_rows_of_one_moment_are_not_lost_between_exports(ask: Any, click: Any) -> None:
    """Two rows share a second; the export falls between them: of a time, the last one is read again."""
    shop = ask(sql_query="SELECT *, unixepoch(changed) AS seconds FROM clicks", sql_watermark="seconds", sql_overlap=1)
    click(1, changed="2010-12-01 09:00:00")
    assert ids(sql_file(shop, CANONICAL, FIRST)) == [1]
    click(2, changed="2010-12-01 09:00:00")
    assert ids(sql_file(shop, CANONICAL, SECOND)) == [1, 2]


def test_the_overlap_reads_again_what_was_committed_out_of_order(ask: Any, click: Any) -> None:
    shop = ask(sql_overlap=2)
    click(1)
    click(4)
    take_day(shop, CANONICAL, FIRST)
    click(3)
    [second] = take_day(shop, CANONICAL, SECOND)
    assert (second.rows_in, second.late) == (2, 2)
    publish(shop, [second.delivery_id], gated=False)
    [third] = take_day(shop, CANONICAL, THIRD)
    assert (third.rows_in, third.duplicate) == (2, 2)


def test_a_lake_that_is_older_than_the_database_reads_again_and_knows_it(ask: Any, click: Any) -> None:
    shop = ask()
    for number, day in ((1, FIRST), (2, SECOND)):
        click(number, f"{day} 09:00")
        publish(shop, [manifest.delivery_id for manifest in take_day(shop, CANONICAL, day)], gated=False)
    (shop.lake.landing_day(CANONICAL, SECOND) / "_delivery.json").unlink()
    click(3)
    [third] = take_day(shop, CANONICAL, THIRD)
    assert (third.rows_in, third.duplicate, third.late) == (2, 1, 1)


def test_any_adapter_reads_the_columns_that_the_query_names(ask: Any, click: Any) -> None:
    click(1, "2010-12-01 08:26:00")
    # with a comment at its end, colons in a text, and a percent sign
    query = """
        SELECT id, '5363:65' AS Invoice, item_id AS StockCode, '100% :wool' AS Description, '6' AS Quantity,
            occurred_at AS InvoiceDate, 2.55 AS Price, 17850.0 AS "Customer ID" FROM clicks -- the till's"""
    shop = ask(source="online-retail", sql_query=query)
    [manifest] = take_day(shop, "online-retail", FIRST)
    assert manifest.accepted == 1
    [line] = lines(shop.lake.landing_day("online-retail", FIRST) / "sql.jsonl")
    assert (line["Description"], line["Invoice"]) == ("100% :wool", "5363:65")


def test_values_go_back_as_parameters(ask: Any, click: Any) -> None:
    shop = ask(sql_watermark="event_id")
    hostile = "' OR 1=1 --"
    click(1, event_id=hostile)
    sql_file(shop, CANONICAL, FIRST)
    seen: list[tuple[str, Any]] = []

    def note(connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        seen.append((statement, parameters))

    click(2, event_id="(")
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


def test_an_export_sees_one_moment(ask: Any, click: Any, till: sqlite3.Connection) -> None:
    shop = ask(sql_overlap=10)
    till.execute("PRAGMA journal_mode = wal")  # else nobody could write while it reads
    click(1)
    told: list[str] = []

    def meanwhile(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if "max(" in statement and not told:
            told.append(statement)
            click(2)

    event.listen(Engine, "after_cursor_execute", meanwhile)
    try:
        assert ids(sql_file(shop, CANONICAL, FIRST)) == [1]
    finally:
        event.remove(Engine, "after_cursor_execute", meanwhile)
    assert ids(sql_file(shop, CANONICAL, SECOND)) == [1, 2]
