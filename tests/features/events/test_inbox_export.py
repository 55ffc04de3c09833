"""Events posted to the API are exported once, in order, and taken like any other delivery."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, delete, insert

from features.events.arrivals import take_day
from features.events.inbox import inbox_file
from features.events.log import event_files
from features.events.publish import publish
from infra.database import engine
from infra.partitions import Span
from infra.settings import Settings
from infra.tables import inbox

pytestmark = pytest.mark.integration

FIRST, SECOND = date(1999, 12, 1), date(1999, 12, 2)


@pytest.fixture
def database(services: Settings) -> Iterator[Engine]:
    """An inbox that is empty before and after."""
    found = engine(services)
    with found.begin() as connection:
        connection.execute(delete(inbox))
    yield found
    with found.begin() as connection:
        connection.execute(delete(inbox))
    found.dispose()


@pytest.fixture
def mall(tmp_path: Path, make_settings: Callable[..., Settings]) -> Settings:
    return make_settings(tmp_path / "mall", clock="1999-12-03T00:00:00+00:00")


def post(database: Engine, event_id: str, moment: str, **payload: Any) -> None:
    occurred = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    said = {"item_id": "i", "event_type": "view", **payload}
    with database.begin() as connection:
        connection.execute(
            insert(inbox).values(
                event_id=event_id, user_id="u", occurred_at=occurred, received_at=occurred, payload=said
            )
        )


def close(mall: Settings, day: date) -> Path:
    folder = mall.lake.landing_day("canonical", day)
    folder.mkdir(parents=True)
    (folder / "_CLOSED").touch()
    return folder


def test_a_days_rows_are_one_more_delivery(mall: Settings, database: Engine) -> None:
    post(database, "b", "1999-12-01 23:59:59", price=1999, quantity=2, event_type="purchase")
    post(database, "a", "1999-12-01 00:00:00")
    post(database, "c", "1999-12-02 00:00:00")
    close(mall, FIRST)
    manifests = take_day(mall, "canonical", FIRST, database)
    assert [(manifest.source, manifest.accepted) for manifest in manifests] == [("canonical", 0), ("inbox", 2)]
    publish(mall, [manifest.delivery_id for manifest in manifests], gated=False)
    rows = [row for path in event_files(mall.lake, Span.of_day(FIRST)) for row in read(path)]
    assert [(row["event_id"], row["price"], row["source"]) for row in rows] == [
        ("a", None, "inbox"),
        ("b", 1999, "inbox"),
    ]
    assert take_day(mall, "canonical", FIRST, database) == manifests


def read(path: Path) -> list[dict[str, Any]]:
    import pyarrow.parquet as pq

    found: list[dict[str, Any]] = pq.ParquetFile(path).read().to_pylist()
    return found


def test_rows_that_come_after_the_export_go_with_the_next_day_as_late(mall: Settings, database: Engine) -> None:
    post(database, "a", "1999-12-01 08:00:00")
    first = inbox_file(mall, database, FIRST)
    assert first is not None
    before = first.read_bytes()
    post(database, "b", "1999-12-01 09:00:00")
    post(database, "c", "1999-12-02 09:00:00")
    assert inbox_file(mall, database, FIRST) == first
    assert first.read_bytes() == before
    close(mall, SECOND)
    inboxed = take_day(mall, "canonical", SECOND, database)[1]
    assert (inboxed.rows_in, inboxed.accepted, inboxed.late) == (2, 1, 1)


def test_nothing_posted_is_no_delivery(mall: Settings, database: Engine) -> None:
    assert inbox_file(mall, database, FIRST) is None
    assert inbox_file(mall, database, FIRST) is None
    close(mall, FIRST)
    assert len(take_day(mall, "canonical", FIRST, database)) == 1


def test_an_export_that_was_cut_short_is_made_again(mall: Settings, database: Engine) -> None:
    post(database, "a", "1999-12-01 08:00:00")
    folder = mall.lake.landing_day("inbox", FIRST)
    folder.mkdir(parents=True)
    (folder / "inbox.jsonl").write_text("{half")
    path = inbox_file(mall, database, FIRST)
    assert path is not None
    assert '"event_id": "a"' in path.read_text()
