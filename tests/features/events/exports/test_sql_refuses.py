"""What a SQL source refuses: clearly, with nothing left behind, and without its password."""

from __future__ import annotations

import json
import sqlite3
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from features.events.arrivals import take_day, take_history
from features.events.exports.sql import sql_file
from infra.errors import DeliveryError, PenchantError, ServiceError, SettingsError
from infra.partitions import Span
from infra.settings import Settings

FIRST, SECOND, THIRD = (date(2010, 12, day) for day in (1, 2, 3))
CANONICAL = "canonical"


def ids(path: Path | None) -> list[int]:
    assert path is not None
    return [int(json.loads(line)["id"]) for line in path.read_text(encoding="utf-8").splitlines()]


def landed(shop: Settings) -> list[str]:
    root = shop.lake.root
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()) if root.exists() else []


def test_a_day_that_goes_on_is_not_read(ask: Any, click: Any) -> None:
    shop = ask(clock="2010-12-01T20:00:00+00:00")
    click(1)
    with pytest.raises(SettingsError, match="2010-12-01 is not over"):
        take_day(shop, CANONICAL, FIRST)
    with pytest.raises(SettingsError, match="2010-12-01 is not over"):
        take_history(shop, CANONICAL, Span.of_day(FIRST))
    assert landed(shop) == []


def test_a_history_without_rows_is_refused_and_tried_again(ask: Any, click: Any) -> None:
    shop = ask()
    with pytest.raises(DeliveryError, match="sql_query has no rows"):
        take_history(shop, CANONICAL, Span.of_day(FIRST))
    click(1)
    assert take_history(shop, CANONICAL, Span.of_day(FIRST)).accepted == 1


def test_texts_as_watermarks_have_no_overlap(ask: Any, click: Any) -> None:
    click(1)
    by_text = {"sql_watermark": "event_id"}
    assert ids(sql_file(ask(**by_text), CANONICAL, FIRST)) == [1]
    click(2)
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
    ask: Any, click: Any, till: sqlite3.Connection, settings: dict[str, str], message: str
) -> None:
    click(1, extra=b"x")
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


def test_a_database_that_went_back_is_refused(ask: Any, click: Any, till: sqlite3.Connection) -> None:
    shop = ask()
    click(1)
    click(2)
    sql_file(shop, CANONICAL, FIRST)
    till.execute("DELETE FROM clicks WHERE id = 2")
    till.commit()
    with pytest.raises(DeliveryError, match=r"ends before the place .* or was emptied.*delete .*/_delivery\.json"):
        sql_file(shop, CANONICAL, SECOND)
    click(3)
    assert ids(sql_file(shop, CANONICAL, SECOND)) == [3]


def test_a_watermark_of_another_question_is_not_gone_on_from(ask: Any, click: Any) -> None:
    click(1)
    sql_file(ask(), CANONICAL, FIRST)
    click(2)
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


def test_files_of_ones_own_may_lie_beside_but_not_a_marker(ask: Any, click: Any, write: Any) -> None:
    shop = ask()
    click(1)
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


def test_an_error_in_the_midst_leaves_nothing_and_the_next_run_takes_everything(
    ask: Any, click: Any, till: sqlite3.Connection
) -> None:
    for number in range(1, 4):
        click(number, extra=b"1" if number < 3 else b"not JSON")
    query = {"sql_query": "SELECT *, json_extract(CAST(extra AS TEXT), '$') AS told FROM clicks"}
    shop = ask(**query)
    with pytest.raises(ServiceError, match=r"sqlite:.*till\.db does not answer: malformed JSON"):
        take_day(shop, CANONICAL, FIRST)
    assert landed(shop) == []
    till.execute("UPDATE clicks SET extra = '3'")
    till.commit()
    assert take_day(shop, CANONICAL, FIRST)[0].accepted == 3
