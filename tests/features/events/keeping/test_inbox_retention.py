"""Rows leave the inbox when they are in the lake and old, and not a moment before."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, insert, select

from features.events.arrivals import take_day
from features.events.exports.inbox import inbox_file
from features.events.keeping.exported import forget_exported
from features.events.keeping.retention import retire
from features.events.log import event_files
from features.events.publish import publish
from infra.partitions import Span
from infra.settings import Settings
from infra.tables import inbox

pytestmark = pytest.mark.integration

FIRST, SECOND, THIRD = (date(1998, 12, day) for day in (1, 2, 3))
LATER = datetime(1999, 6, 1, tzinfo=UTC)


@pytest.fixture
def mall(tmp_path: Path, make_settings: Callable[..., Settings]) -> Settings:
    return make_settings(tmp_path / "mall", clock="1998-12-05T00:00:00+00:00")


@pytest.fixture
def post(database: Engine) -> Callable[..., None]:
    """Post an event of a moment, and when it came, by default at once."""

    def make(event_id: str, moment: str, came: str | None = None) -> None:
        occurred, received = (datetime.fromisoformat(f"{text}+00:00") for text in (moment, came or moment))
        row = {"event_id": event_id, "user_id": "u", "occurred_at": occurred, "received_at": received}
        with database.begin() as connection:
            connection.execute(insert(inbox).values(**row, payload={"item_id": "i", "event_type": "view"}))

    return make


def left(database: Engine) -> list[str]:
    with database.connect() as connection:
        return list(connection.scalars(select(inbox.c.event_id).order_by(inbox.c.position)))


def take(mall: Settings, database: Engine, day: date, *, published: bool = True) -> None:
    """Ingest a day on which the source had nothing."""
    folder = mall.lake.landing_day("canonical", day)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "_CLOSED").touch()
    deliveries = [manifest.delivery_id for manifest in take_day(mall, "canonical", day, database)]
    if published:
        publish(mall, deliveries, gated=False)


def test_rows_that_are_in_the_lake_go_when_they_are_old(mall: Settings, database: Engine, post: Any) -> None:
    post("a", "1998-12-01T08:00:00")
    take(mall, database, FIRST)
    post("b", "1998-12-01T08:00:00")
    assert forget_exported(mall, database, datetime(1998, 12, 31, 8, tzinfo=UTC)) == 0
    after = datetime(1998, 12, 31, 9, tzinfo=UTC)
    assert forget_exported(mall, database, after, dry_run=True) == 1
    assert left(database) == ["a", "b"]
    assert forget_exported(mall, database, after) == 1
    # nobody has exported the other
    assert left(database) == ["b"]
    assert forget_exported(mall, database, LATER) == 0


def test_a_row_that_came_lately_stays_however_long_ago_it_happened(mall: Settings, database: Engine, post: Any) -> None:
    post("a", "1998-12-01T08:00:00", came="1999-05-31T00:00:00")
    take(mall, database, FIRST)
    assert forget_exported(mall, database, LATER) == 0


def test_rows_of_a_delivery_that_is_not_published_stay(mall: Settings, database: Engine, post: Any) -> None:
    post("a", "1998-12-01T08:00:00")
    take(mall, database, FIRST, published=False)
    assert forget_exported(mall, database, LATER) == 0
    take(mall, database, FIRST)
    mall.lake.partition(FIRST).unlink()
    assert forget_exported(mall, database, LATER) == 0
    take(mall, database, FIRST)
    assert forget_exported(mall, database, LATER) == 1


def test_a_row_that_came_after_the_export_of_its_day_waits_for_the_next(
    mall: Settings, database: Engine, post: Any
) -> None:
    post("a", "1998-12-01T08:00:00")
    take(mall, database, FIRST)
    post("late", "1998-12-01T09:00:00")
    assert forget_exported(mall, database, LATER) == 1
    assert left(database) == ["late"]
    take(mall, database, SECOND, published=False)
    assert forget_exported(mall, database, LATER) == 0
    take(mall, database, SECOND)
    assert forget_exported(mall, database, LATER) == 1


def test_days_that_are_exported_out_of_order_lose_nothing(mall: Settings, database: Engine, post: Any) -> None:
    """The third day is exported before the second, whose rows came before and after."""
    post("before", "1998-12-02T08:00:00")
    post("a", "1998-12-01T08:00:00")
    take(mall, database, FIRST)
    post("c", "1998-12-03T08:00:00")
    take(mall, database, THIRD)
    post("after", "1998-12-02T08:00:00")
    post("late", "1998-12-01T09:00:00")
    assert forget_exported(mall, database, LATER) == 3
    assert left(database) == ["after", "late"]
    take(mall, database, SECOND)
    days = {day: {row["event_id"] for row in rows(mall, Span.of_day(day))} for day in (FIRST, SECOND)}
    assert days == {FIRST: {"a", "late"}, SECOND: {"before", "after"}}
    assert forget_exported(mall, database, LATER) == 2


def test_an_emptied_inbox_takes_and_exports_what_comes_next(mall: Settings, database: Engine, post: Any) -> None:
    post("a", "1998-12-01T08:00:00")
    take(mall, database, FIRST)
    assert forget_exported(mall, database, LATER) == 1
    take(mall, database, SECOND)
    post("late", "1998-12-01T09:00:00")
    post("c", "1998-12-03T08:00:00")
    take(mall, database, THIRD)
    assert [row["event_id"] for row in rows(mall, Span(FIRST, date(1998, 12, 4)))] == ["a", "late", "c"]
    assert forget_exported(mall, database, LATER) == 2


def test_rows_go_after_their_raw_file_had_its_time_and_no_day_is_exported_again(
    mall: Settings, database: Engine, post: Any
) -> None:
    post("a", "1998-12-01T08:00:00")
    take(mall, database, FIRST)
    folder = mall.lake.landing_day("inbox", FIRST)
    assert retire(mall, datetime(2001, 1, 1, tzinfo=UTC), datetime.now(UTC)).landing.files == 1
    assert sorted(path.name for path in folder.iterdir()) == ["_delivery.json", "_published.json"]
    assert forget_exported(mall, database, LATER) == 1
    before = rows(mall, Span.of_day(FIRST))
    assert inbox_file(mall, database, FIRST) is None
    take(mall, database, FIRST)
    assert rows(mall, Span.of_day(FIRST)) == before


def test_a_run_deletes_so_many_rows(mall: Settings, database: Engine, post: Any) -> None:
    for name in "abc":
        post(name, "1998-12-01T08:00:00")
    take(mall, database, FIRST)
    few = mall.model_copy(update={"removals_a_run": 2})
    assert [forget_exported(few, database, LATER) for _ in range(3)] == [2, 1, 0]


def test_rows_stay_for_ever_if_so_set(mall: Settings, database: Engine, post: Any) -> None:
    post("a", "1998-12-01T08:00:00")
    take(mall, database, FIRST)
    assert forget_exported(mall.model_copy(update={"keep_inbox_days": 0}), database, LATER) == 0


def rows(mall: Settings, span: Span) -> list[dict[str, Any]]:
    import pyarrow.parquet as pq

    return [row for path in event_files(mall.lake, span) for row in pq.ParquetFile(path).read().to_pylist()]
