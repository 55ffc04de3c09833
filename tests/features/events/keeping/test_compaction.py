"""The files of an old day become one: the same rows for every reader, whatever is delivered before and after."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from features.events.ingest import ingest
from features.events.keeping.compaction import Compacted, compact
from features.events.keeping.merging import merge
from features.events.log import event_files
from features.events.publish import publish
from features.events.schema import EVENT_ORDER
from infra.errors import MachineError
from infra.lake import read_json, write_json
from infra.locks import one_at_a_time
from infra.partitions import Span
from infra.settings import Settings

pytestmark = pytest.mark.thorough  # seconds in sum

FIRST, SECOND, THIRD = (date(2010, 12, day) for day in (1, 2, 3))
NOW = datetime(2010, 12, 10, 1, tzinfo=UTC)
DAY = Span.of_day(FIRST)


@pytest.fixture
def late(shop: Settings, take: Any, write: Any, line: Any) -> dict[str, Path]:
    """The first day has rows of three deliveries: its own, and late ones that came with the next two."""
    lines = {
        FIRST: [line(Invoice="1", InvoiceDate="2010-12-01 09:00:00")],
        SECOND: [line(Invoice="2", InvoiceDate=f"2010-12-0{n} 08:00:00") for n in (1, 2)],
        THIRD: [line(Invoice="3", InvoiceDate=f"2010-12-0{n} 08:00:00") for n in (1, 3)],
    }
    files = {str(day): write(f"{day}.csv", of_day) for day, of_day in lines.items()}
    for day, file in files.items():
        take(file, span=Span.of_day(date.fromisoformat(day)), delivered_at=next_morning(day))
    return files


def next_morning(day: str) -> datetime:
    return datetime.fromisoformat(f"{day}T05:00:00+00:00") + timedelta(days=1)


def partition(shop: Settings, day: date = FIRST) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(shop.lake.partition(day).read_text())
    return found


def sorted_rows(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: [row[name] for name in EVENT_ORDER])


def test_many_files_become_one_sorted_file_of_the_same_rows(shop: Settings, late: Any, read: Any) -> None:
    before, rows = partition(shop), read(DAY)
    assert len(event_files(shop.lake, DAY)) == 3
    done = compact(shop, NOW)
    assert (done.days, done.files, done.left, done.waiting) == (1, 3, (), 0)
    assert 0 < done.bytes_after < done.bytes_before
    [path] = event_files(shop.lake, DAY)
    assert path.stat().st_size == done.bytes_after
    assert read(DAY) == sorted_rows(rows)
    assert len({(row["delivery_id"], row["ingested_at"]) for row in rows}) == 3
    assert pq.ParquetFile(path).metadata.row_group(0).column(0).compression == "ZSTD"
    assert partition(shop) == {**before, "files": [path.name]}


def test_a_second_run_changes_nothing(shop: Settings, late: Any, contents: Any) -> None:
    compact(shop, NOW)
    before = contents(shop.lake.root)
    assert compact(shop, NOW) == Compacted()
    assert contents(shop.lake.root) == before


def test_equal_rows_give_equal_bytes_however_they_lay(shop: Settings, late: Any) -> None:
    one, two, three = event_files(shop.lake, DAY)
    merged = merge(shop, FIRST, [one, two, three])
    content = merged.read_bytes()
    assert merge(shop.model_copy(update={"threads": 1}), FIRST, [three, one, two]) == merged
    assert merged.read_bytes() == content
    assert merge(shop, FIRST, [merged], renewed=[two]) == merged
    assert merge(shop, FIRST, [one, two]) != merged


def test_a_dry_run_says_what_would_be_merged_and_changes_nothing(shop: Settings, late: Any, contents: Any) -> None:
    before = contents(shop.home)
    done = compact(shop, NOW, dry_run=True)
    assert (done.days, done.files, done.bytes_after) == (1, 3, 0)
    assert done.bytes_before == sum(path.stat().st_size for path in event_files(shop.lake, DAY))
    assert contents(shop.home) == before


@pytest.mark.parametrize(("days", "merged"), [(8, 1), (9, 0), (0, 0)])
def test_only_days_that_are_old_enough_are_merged(shop: Settings, late: Any, days: int, merged: int) -> None:
    """The first day ended on the second at midnight, eight days and an hour ago."""
    assert compact(shop.model_copy(update={"merge_after_days": days}), NOW).days == merged


def second_too(take: Any, write: Any) -> None:
    """Give the second day rows of two deliveries as well."""
    row = {"event_id": "e", "item_id": "i", "event_type": "view", "occurred_at": "2010-12-02 08:00:00"}
    take(write("posted.csv", [row]), source="canonical", span=Span.of_day(SECOND))


def test_a_run_merges_so_many_days_and_the_next_the_others(shop: Settings, late: Any, take: Any, write: Any) -> None:
    second_too(take, write)
    few = shop.model_copy(update={"merge_days_a_run": 1, "merge_after_days": 1})
    done = [compact(few, NOW) for _ in range(3)]
    assert [(one.days, one.waiting) for one in done] == [(1, 1), (1, 0), (0, 0)]
    assert [len(event_files(shop.lake, Span.of_day(day))) for day in (FIRST, SECOND)] == [1, 1]


def test_early_rows_of_an_open_day_are_left_alone(shop: Settings, take: Any, write: Any, line: Any) -> None:
    for number in (1, 2):
        take(
            write(
                f"{number}.csv", [line(Invoice=f"{number}"), line(Invoice=f"{number}", InvoiceDate="2010-12-02 0:01")]
            )
        )
    assert compact(shop.model_copy(update={"merge_after_days": 1}), NOW).days == 1
    assert not shop.lake.partition(SECOND).exists()
    assert len(list(shop.lake.events_day(SECOND).glob("*.parquet"))) == 2


def test_late_rows_after_a_compaction_add_a_file_and_the_next_takes_them_in(
    shop: Settings, late: Any, take: Any, write: Any, line: Any, read: Any
) -> None:
    compact(shop, NOW)
    before = partition(shop)
    more = take(write("more.csv", [line(Invoice="4", InvoiceDate="2010-12-01 07:00:00")]), span=Span.of_day(THIRD))
    after = partition(shop)
    assert more.late == 1
    assert after["files"] == sorted([*before["files"], f"{more.delivery_id}.parquet"])
    assert after["deliveries"] == sorted([*before["deliveries"], more.delivery_id])
    assert (after["rows"], len(read(DAY)), after["by_source"]["online-retail"]["rows"]) == (4, 4, 4)
    assert compact(shop, NOW).files == 2
    assert len(event_files(shop.lake, DAY)) == 1
    assert [row["session_id"] for row in read(DAY)] == ["4", "2", "3", "1"]
    assert partition(shop) == {**after, "files": partition(shop)["files"]}


def test_the_same_delivery_again_is_what_it_was(shop: Settings, late: Any, take: Any) -> None:
    compact(shop, NOW)
    before, [path] = partition(shop), event_files(shop.lake, DAY)
    content = path.read_bytes()
    for day, file in late.items():
        manifest = take(file, span=Span.of_day(date.fromisoformat(day)), delivered_at=next_morning(day))
        assert (manifest.rows_in, manifest.duplicate) == (manifest.accepted + manifest.late, 0)
    assert partition(shop) == before
    assert (event_files(shop.lake, DAY), path.read_bytes()) == ([path], content)


def test_what_came_before_is_all_duplicates(shop: Settings, late: Any, take: Any, write: Any, line: Any) -> None:
    compact(shop, NOW)
    before = partition(shop)["rows"]
    part = [line(Invoice=f"{n}", InvoiceDate=f"2010-12-01 0{9 if n == 1 else 8}:00:00") for n in (1, 3)]
    again = take(write("part.csv", part))
    assert (again.accepted, again.duplicate) == (0, 2)
    assert partition(shop)["rows"] == before


def test_a_delivery_that_says_something_else_now_takes_the_place_of_its_merged_rows(
    shop: Settings, late: Any, read: Any
) -> None:
    compact(shop, NOW)
    before = partition(shop)
    in_euros(shop, late[str(SECOND)])
    rows = {row["session_id"]: row for row in read(DAY)}
    assert {name: row["currency"] for name, row in rows.items()} == {"1": "GBP", "2": "EUR", "3": "GBP"}
    assert len(event_files(shop.lake, DAY)) == 1
    after = partition(shop)
    assert after["digest"] != before["digest"]
    others = {"digest": "", "files": [], "known": []}
    assert {**after, **others} == {**before, **others}
    assert [entry["rows"] for entry in after["known"]] == [entry["rows"] for entry in before["known"]]


def in_euros(shop: Settings, file: Path) -> None:
    """The delivery of the second day again, under another policy: the same id, other rows."""
    euro, moment = shop.model_copy(update={"currency": "EUR"}), next_morning(str(SECOND))
    manifest = ingest(euro, "online-retail", [file], Span.of_day(SECOND), bulk=False, delivered_at=moment)
    publish(shop, [manifest.delivery_id], gated=False)


def test_publishing_what_is_published_and_merged_is_no_fault(shop: Settings, late: Any, contents: Any) -> None:
    """A cleared task publishes again; the delivery's own file is gone with the next run of retention."""
    compact(shop, NOW)
    before = partition(shop)
    for delivery in before["deliveries"]:
        shop.lake.events(FIRST, delivery).unlink()
        publish(shop, [delivery], gated=False)
    assert partition(shop) == before


def test_a_day_that_was_being_published_again_when_somebody_died_waits(
    shop: Settings, late: Any, take: Any, write: Any
) -> None:
    """It holds nobody up."""
    second_too(take, write)
    path = event_files(shop.lake, DAY)[0]
    pq.write_table(pq.ParquetFile(path).read().slice(0, 0), path)
    before = partition(shop)
    done = compact(shop.model_copy(update={"merge_days_a_run": 1, "merge_after_days": 1}), NOW)
    assert (done.days, done.left, done.waiting) == (1, (str(FIRST),), 0)
    assert partition(shop) == before


def test_a_partition_from_before_merged_files_is_read_and_merged(shop: Settings, late: Any, read: Any) -> None:
    old = {name: value for name, value in partition(shop).items() if name not in ("files", "digest")}
    rows = read(DAY)
    write_json(shop.lake.partition(FIRST), old)
    assert read(DAY) == rows
    assert compact(shop, NOW).days == 1
    assert read(DAY) == sorted_rows(rows)


def test_rows_that_get_lost_on_the_way_to_the_disk_are_noticed(
    shop: Settings, late: Any, contents: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from features.events.keeping import merging

    before, write = contents(shop.lake.root), merging.write_event_file
    monkeypatch.setattr(merging, "write_event_file", lambda path, parts: write(path, (part[1:] for part in parts)))
    with pytest.raises(MachineError, match=r"Merging the files of 2010-12-01 lost rows: \(3, .* \(2, "):
        compact(shop, NOW)
    assert contents(shop.lake.root) == before


def test_a_merge_waits_while_somebody_publishes(shop: Settings, late: Any) -> None:
    merging = threading.Thread(target=compact, args=(shop, NOW))
    with one_at_a_time(shop, "publish"):
        merging.start()
        merging.join(0.5)
        assert merging.is_alive()
        assert len(event_files(shop.lake, DAY)) == 3
    merging.join(30)
    assert len(event_files(shop.lake, DAY)) == 1


def test_whoever_listed_the_files_before_can_read_them_after(shop: Settings, late: Any) -> None:
    from features.events.keeping.retention import retire

    listed: list[Path] = event_files(shop.lake, DAY)
    compact(shop, NOW)
    retire(shop, NOW, datetime.now(UTC))
    assert [pq.ParquetFile(path).metadata.num_rows for path in listed] == [1, 1, 1]


def test_readers_go_by_the_partition_alone(shop: Settings, late: Any, read: Any, take: Callable[..., Any]) -> None:
    """A merged file that no partition lists, and the own files that one replaces, hold nothing."""
    merge(shop, FIRST, event_files(shop.lake, DAY))
    assert len(read(DAY)) == 3
    assert take(late[str(FIRST)], delivered_at=NOW).accepted == 1
    assert len(read(DAY)) == 3
    compact(shop, NOW)
    again = take(late[str(FIRST)], span=Span.of_day(FIRST), delivered_at=NOW)
    assert (again.accepted, len(read(DAY)), read_json(shop.lake.partition(FIRST))["rows"]) == (1, 3, 3)


def test_a_merge_that_is_killed_anywhere_leaves_every_reader_with_the_same_rows(
    shop: Settings, late: Any, read: Any, kill_everywhere: Any
) -> None:
    rows = sorted_rows(read(DAY))

    def whole() -> None:
        assert sorted_rows(read(DAY)) == rows
        assert partition(shop)["rows"] == len(rows)

    assert kill_everywhere(lambda: compact(shop, NOW), whole) > 4


@pytest.mark.parametrize("what", ["late rows", "other rows", "equal rows"])
def test_publishing_onto_merged_files_that_is_killed_anywhere_leaves_whole_days(
    shop: Settings, late: Any, read: Any, take: Any, write: Any, line: Any, kill_everywhere: Any, what: str
) -> None:
    compact(shop, NOW)
    more = write("more.csv", [line(Invoice="4", InvoiceDate="2010-12-01 07:00:00")])
    work = {
        "late rows": lambda: take(more, span=Span.of_day(THIRD)),
        "other rows": lambda: in_euros(shop, late[str(SECOND)]),
        "equal rows": lambda: take(late[str(FIRST)], delivered_at=next_morning(str(FIRST))),
    }[what]

    def whole() -> None:
        assert partition(shop)["rows"] == len(read(DAY)) == len({row["event_id"] for row in read(DAY)})

    assert kill_everywhere(work, whole) > 10
