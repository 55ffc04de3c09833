"""Events posted to the API are exported once, in order, and taken like any other delivery."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from sqlalchemy import Engine, delete, insert, text

from features.events.arrivals import take_day
from features.events.exports.inbox import inbox_file
from features.events.log import event_files
from features.events.publish import publish
from infra.errors import DeliveryError, ServiceError
from infra.partitions import Span
from infra.settings import Settings
from infra.tables import inbox

pytestmark = pytest.mark.integration

FIRST, SECOND, THIRD, FOURTH = (date(1999, 12, day) for day in (1, 2, 3, 4))


@pytest.fixture
def mall(tmp_path: Path, make_settings: Callable[..., Settings]) -> Settings:
    return make_settings(tmp_path / "mall", clock="1999-12-03T00:00:00+00:00")


def row(event_id: str, moment: str, **payload: Any) -> dict[str, Any]:
    occurred = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    said = {"item_id": "i", "event_type": "view", **payload}
    return {"event_id": event_id, "user_id": "u", "occurred_at": occurred, "received_at": occurred, "payload": said}


def post(database: Engine, event_id: str, moment: str, **payload: Any) -> None:
    with database.begin() as connection:
        connection.execute(insert(inbox).values(row(event_id, moment, **payload)))


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
    found: list[dict[str, Any]] = pq.ParquetFile(path).read().to_pylist()
    return found


def lines(path: Path | None) -> list[str]:
    """The event ids of an export, in order."""
    assert path is not None
    return [json.loads(line)["event_id"] for line in path.read_text(encoding="utf-8").splitlines()]


def watermark(mall: Settings, day: date) -> dict[str, Any]:
    marker = json.loads((mall.lake.landing_day("inbox", day) / "_delivery.json").read_text())
    found: dict[str, Any] = marker["watermark"]
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


def test_rows_of_a_later_day_wait_there_as_early(mall: Settings, database: Engine) -> None:
    post(database, "a", "1999-12-01 08:00:00")
    post(database, "b", "1999-12-02 09:00:00")
    close(mall, FIRST)
    manifests = take_day(mall, "canonical", FIRST, database)
    assert (manifests[1].accepted, manifests[1].early) == (1, 1)
    publish(mall, [manifest.delivery_id for manifest in manifests], gated=False)
    close(mall, SECOND)
    [alone] = take_day(mall, "canonical", SECOND, database)
    publish(mall, [alone.delivery_id], gated=False)
    assert [row["event_id"] for path in event_files(mall.lake, Span.of_day(SECOND)) for row in read(path)] == ["b"]


def test_an_export_goes_on_where_the_last_one_ended_whatever_day_that_was_for(mall: Settings, database: Engine) -> None:
    post(database, "a", "1999-12-02 08:00:00")
    assert lines(inbox_file(mall, database, SECOND)) == ["a"]
    post(database, "b", "1999-12-02 09:00:00")
    assert lines(inbox_file(mall, database, FIRST)) == ["b"]
    post(database, "c", "1999-12-02 10:00:00")
    assert lines(inbox_file(mall, database, THIRD)) == ["c"]
    ends = [watermark(mall, day) for day in (SECOND, FIRST, THIRD)]
    assert [end["number"] for end in ends] == [1, 2, 3]
    assert [end["after"] for end in ends] == [None, ends[0]["last"], ends[1]["last"]]


def test_nothing_posted_is_no_delivery_and_moves_the_watermark(mall: Settings, database: Engine) -> None:
    assert inbox_file(mall, database, FIRST) is None
    assert inbox_file(mall, database, FIRST) is None
    close(mall, FIRST)
    assert len(take_day(mall, "canonical", FIRST, database)) == 1
    post(database, "a", "1999-12-01 08:00:00")
    with database.begin() as connection:
        connection.execute(delete(inbox))
    assert inbox_file(mall, database, SECOND) is None
    first, second = (watermark(mall, day)["last"]["position"] for day in (FIRST, SECOND))
    assert second == first + 1


def test_an_export_that_was_cut_short_is_made_again(mall: Settings, database: Engine) -> None:
    post(database, "a", "1999-12-01 08:00:00")
    folder = mall.lake.landing_day("inbox", FIRST)
    folder.mkdir(parents=True)
    (folder / "inbox.jsonl").write_text("{half")
    assert lines(inbox_file(mall, database, FIRST)) == ["a"]


def test_a_row_ahead_of_the_clock_is_exported_once_its_moment_has_come(
    mall: Settings, make_settings: Callable[..., Settings], database: Engine
) -> None:
    post(database, "ahead", "1999-12-03 00:00:01")
    post(database, "now", "1999-12-03 00:00:00")
    assert lines(inbox_file(mall, database, FIRST)) == ["now"]
    post(database, "then", "1999-12-03 00:00:00")
    later = make_settings(mall.home, clock="1999-12-05T00:00:00+00:00")
    close(later, FOURTH)
    inboxed = take_day(later, "canonical", FOURTH, database)[1]
    assert (inboxed.rows_in, inboxed.late, inboxed.quarantined) == (2, 2, 0)
    assert lines(later.lake.landing_day("inbox", FOURTH) / "inbox.jsonl") == ["ahead", "then"]


def test_a_clock_that_was_set_back_loses_nothing(
    mall: Settings, make_settings: Callable[..., Settings], database: Engine
) -> None:
    post(database, "a", "1999-12-02 12:00:00")
    inbox_file(mall, database, FIRST)
    post(database, "b", "1999-12-02 12:00:00")
    assert inbox_file(make_settings(mall.home, clock="1999-12-02T00:00:00+00:00"), database, SECOND) is None
    assert lines(inbox_file(mall, database, THIRD)) == ["a", "b"]  # the ingest knows the first


def test_writers_that_have_not_committed_are_waited_for(mall: Settings, database: Engine) -> None:
    with database.begin() as slow, ThreadPoolExecutor(1) as reader:
        slow.execute(insert(inbox).values(row("below", "1999-12-01 08:00:00")))
        post(database, "above", "1999-12-01 09:00:00")
        export = reader.submit(inbox_file, mall, database, FIRST)
        eventually_waits(database)
        slow.commit()
        assert lines(export.result()) == ["below", "above"]


def eventually_waits(database: Engine) -> None:
    """Until somebody waits for the table."""
    waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'inbox'::regclass")
    deadline = time.monotonic() + 10
    with database.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        while connection.scalar(waiting) == 0:
            assert time.monotonic() < deadline
            time.sleep(0.01)


def test_a_writer_that_hangs_is_not_waited_for_long_and_nothing_of_it_is_lost(mall: Settings, database: Engine) -> None:
    with database.begin() as hanging:
        hanging.execute(insert(inbox).values(row("below", "1999-12-01 08:00:00")))
        post(database, "above", "1999-12-01 09:00:00")
        with pytest.raises(ServiceError, match="writing to the inbox for 2 s; nothing was exported"):
            inbox_file(mall, database, FIRST)
        assert not mall.lake.landing_day("inbox", FIRST).exists()
    assert lines(inbox_file(mall, database, FIRST)) == ["below", "above"]


def test_two_days_exported_at_once_share_what_there_is(mall: Settings, database: Engine) -> None:
    for number in range(50):
        post(database, f"e{number}", "1999-12-01 08:00:00")
    days = [FIRST, SECOND, THIRD, FOURTH]
    with ThreadPoolExecutor(4) as readers:
        found = list(readers.map(lambda day: inbox_file(mall, database, day), days))
    assert sorted(len(lines(path)) for path in found if path is not None) == [50]
    ends = sorted((watermark(mall, day) for day in days), key=lambda end: int(end["number"]))
    assert [end["number"] for end in ends] == [1, 2, 3, 4]
    assert [end["after"] for end in ends[1:]] == [end["last"] for end in ends[:-1]]


def test_a_lake_that_is_older_than_the_database_loses_nothing(mall: Settings, database: Engine, tmp_path: Path) -> None:
    """Its backup was made before the second export; the event log's was made after it."""
    for day, event_id in ((FIRST, "a"), (SECOND, "b")):
        post(database, event_id, f"{day} 08:00:00")
        close(mall, day)
        manifests = take_day(mall, "canonical", day, database)
        publish(mall, [manifest.delivery_id for manifest in manifests], gated=False)
    shutil.rmtree(mall.lake.landing_day("inbox", SECOND))
    post(database, "c", "1999-12-02 08:00:00")
    close(mall, THIRD)
    inboxed = take_day(later_than(mall), "canonical", THIRD, database)[1]
    assert (inboxed.rows_in, inboxed.duplicate, inboxed.late) == (2, 1, 1)


def later_than(mall: Settings) -> Settings:
    return mall.model_copy(update={"clock": "1999-12-05T00:00:00+00:00"})


def test_an_inbox_that_is_older_than_the_lake_is_refused(mall: Settings, database: Engine) -> None:
    inbox_file(mall, database, FIRST)
    marker = mall.lake.landing_day("inbox", FIRST) / "_delivery.json"
    content = json.loads(marker.read_text())
    content["watermark"]["last"]["position"] += 1
    marker.write_text(json.dumps(content))
    with pytest.raises(DeliveryError, match=r"The inbox ends before the place .*an older copy.*inbox/\*/_delivery"):
        inbox_file(mall, database, SECOND)


def test_exports_of_an_older_version_are_kept_and_read_again_by_the_next(mall: Settings, database: Engine) -> None:
    post(database, "a", "1999-12-01 08:00:00")
    folder = mall.lake.landing_day("inbox", FIRST)
    folder.mkdir(parents=True)
    (folder / "inbox.jsonl").write_text("{}\n")
    (folder / "_delivery.json").write_text('{"delivered_at": "1999-12-02T00:00:00+00:00", "watermark": 9000000}')
    kept = inbox_file(mall, database, FIRST)
    assert kept is not None
    assert kept.read_text() == "{}\n"
    assert lines(inbox_file(mall, database, SECOND)) == ["a"]
