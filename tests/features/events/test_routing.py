"""Every row finds its own day: late, early, too late, known already."""

from __future__ import annotations

import gzip
import json
import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from features.events.ingest import ingest
from features.events.publish import publish
from infra.errors import PartitionRefused
from infra.partitions import Span
from infra.settings import Settings

pytestmark = pytest.mark.thorough  # seconds in sum

SOURCE = "online-retail"
FIRST, SECOND, THIRD = (date(2010, 12, day) for day in (1, 2, 3))


def at(moment: str) -> str:
    return f"2010-12-{moment}:00"


def partition(shop: Settings, day: date) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(shop.lake.partition(day).read_text())
    return found


def test_late_rows_go_to_their_own_day_as_a_new_version(
    shop: Settings, take: Any, write: Any, line: Any, read: Any
) -> None:
    then, later = (datetime(2010, 12, day, 5, tzinfo=UTC) for day in (2, 3))
    first = take(write("1.csv", [line(InvoiceDate=at("01 09:00"))]), delivered_at=then)
    second = take(
        write("2.csv", [line(Invoice="2", InvoiceDate=at("01 08:00")), line(Invoice="3", InvoiceDate=at("02 08:00"))]),
        span=Span.of_day(SECOND),
        delivered_at=later,
    )
    assert (second.accepted, second.late, dict(second.late_by_day)) == (1, 1, {FIRST: 1})
    events = read(Span.of_day(FIRST))
    assert {event["delivery_id"]: event["ingested_at"] for event in events} == {
        first.delivery_id: then,
        second.delivery_id: later,
    }
    assert partition(shop, FIRST)["rows"] == 2
    assert partition(shop, FIRST)["known_at"] == later.isoformat()
    assert partition(shop, FIRST)["deliveries"] == sorted([first.delivery_id, second.delivery_id])


def test_early_rows_wait_unseen_for_their_day(shop: Settings, take: Any, write: Any, line: Any, read: Any) -> None:
    early = line(Invoice="2", InvoiceDate=at("02 00:01"))
    manifest = take(write("1.csv", [line(), early]))
    assert (manifest.accepted, manifest.early, dict(manifest.early_by_day)) == (1, 1, {SECOND: 1})
    assert not shop.lake.partition(SECOND).exists()
    second = take(write("2.csv", [early, line(Invoice="3", InvoiceDate=at("02 09:00"))]), span=Span.of_day(SECOND))
    assert (second.accepted, second.duplicate) == (1, 1)
    assert sorted(event["session_id"] for event in read(Span.of_day(SECOND))) == ["2", "3"]
    assert partition(shop, SECOND)["rows"] == 2


def test_rows_beyond_the_limit_are_quarantined_as_too_late(shop: Settings, take: Any, write: Any, line: Any) -> None:
    days = [FIRST - timedelta(days=offset) for offset in (shop.late_days, shop.late_days + 1)]
    lines = [line(InvoiceDate=f"{day} 10:00:00") for day in days]
    manifest = take(write("a.csv", lines))
    assert (manifest.late, manifest.quarantined) == (1, 1)
    assert manifest.quarantined_by_reason == {"too_late": 1}
    [row] = rows_refused(shop, manifest.delivery_id)
    assert row["day"] == days[1]
    assert json.loads(row["original"])["InvoiceDate"] == lines[1]["InvoiceDate"]


def rows_refused(shop: Settings, delivery: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.ParquetFile(shop.lake.quarantine(delivery)).read().to_pylist()
    return rows


def test_the_same_file_under_another_name_is_the_same_delivery(
    shop: Settings, take: Any, write: Any, line: Any
) -> None:
    path = write("a.csv", [line(), line(Invoice="2")])
    other = Path(shutil.copy(path, path.with_name("b.csv")))
    first, again = take(path), take(other)
    assert first.delivery_id == again.delivery_id
    assert partition(shop, FIRST)["rows"] == 2


def test_the_same_rows_in_another_file_are_all_duplicates(shop: Settings, take: Any, write: Any, line: Any) -> None:
    take(write("a.csv", [line(), line(Invoice="2")]))
    again = take(write("b.csv", [line(Invoice="2"), line(), line(Country="")]))
    assert (again.accepted, again.duplicate) == (0, 3)
    assert partition(shop, FIRST)["rows"] == 2


def test_deliveries_staged_side_by_side_do_not_both_land(
    shop: Settings, take: Any, write: Any, line: Any, tmp_path: Path
) -> None:
    both = [line(), line(Invoice="2")], [line(Invoice="2"), line(Invoice="3")]
    files = [write(f"{number}.csv", lines) for number, lines in enumerate(both)]
    known = datetime(2010, 12, 9, tzinfo=UTC)
    staged = [
        ingest(shop, "online-retail", [file], Span.of_day(FIRST), bulk=False, delivered_at=known) for file in files
    ]
    publish(shop, [staged[0].delivery_id], gated=False)
    with pytest.raises(PartitionRefused, match=r"1 events .* came with another delivery meanwhile"):
        publish(shop, [staged[1].delivery_id], gated=False)
    assert partition(shop, FIRST)["rows"] == 2
    again = take(files[1])
    assert (again.accepted, again.duplicate, partition(shop, FIRST)["rows"]) == (1, 1, 3)


def test_what_was_never_published_whole_is_not_known(shop: Settings, take: Any, write: Any, line: Any) -> None:
    """A kill between moving the events and writing the manifest; then a corrected file comes instead."""
    cut_short = take(write("a.csv", [line()]))
    shop.lake.manifest(cut_short.delivery_id).unlink()
    manifest = take(write("b.csv", [line(), line(StockCode="22086")]))
    assert (manifest.accepted, manifest.duplicate) == (2, 0)


def test_history_that_comes_again_as_a_day_is_all_duplicates(take: Any, write: Any, line: Any) -> None:
    lines = [line(Invoice=str(n), InvoiceDate=at(f"0{n} 08:00")) for n in (1, 2, 3)]
    history = take(write("a.csv", lines), span=Span(FIRST, date(2010, 12, 4)), bulk=True)
    assert (history.accepted, history.late, history.early) == (3, 0, 0)
    again = take(write("a.csv", lines), span=Span.of_day(SECOND))
    assert (again.accepted, again.duplicate, again.late, again.early) == (0, 3, 0, 0)


@pytest.mark.parametrize("lag", [60, 25 * 60])
def test_bulk_history_is_known_a_stated_lag_after_the_end_of_each_day(
    shop: Settings, take: Any, write: Any, line: Any, read: Any, lag: int
) -> None:
    """The days that the delivery leaves empty as well."""
    span = Span(FIRST, date(2010, 12, 4))
    stated = shop.model_copy(update={"history_lag_minutes": lag})
    first, third, empty = (datetime(2010, 12, day, tzinfo=UTC) + timedelta(minutes=lag) for day in (2, 4, 3))
    take(write("a.csv", [line(), line(Invoice="3", InvoiceDate=at("03 08:00"))]), span=span, bulk=True, shop=stated)
    assert [(event["ingested_at"], event["ingested_assumed"]) for event in read(span)] == [
        (first, True),
        (third, True),
    ]
    assert partition(shop, SECOND) | {"gate": None} == {
        "day": "2010-12-02",
        "closed": "empty",
        "reason": "the delivery has no rows of this day",
        "rows": 0,
        "users": 0,
        "guests": 0,
        "mix": {},
        "by_source": {},
        "closed_at": empty.isoformat(),
        "known_at": empty.isoformat(),
        "known": [],
        "digest": "0" * 32,
        "deliveries": partition(shop, FIRST)["deliveries"],
        "files": partition(shop, FIRST)["files"],
        "gate": None,
    }


def test_deliveries_of_one_day_do_not_repeat_each_other(shop: Settings, take: Any, write: Any, tmp_path: Path) -> None:
    row = {"event_id": "e", "user_id": "u", "item_id": "i", "event_type": "view", "occurred_at": at("01 08:00")}
    first = take(write("a.csv", [row]), source="canonical", published=False)
    posted = take(
        write("b.csv", [row, {**row, "event_id": "f"}]), source="inbox", published=False, beside=[first.delivery_id]
    )
    assert (posted.accepted, posted.duplicate) == (1, 1)
    assert publish(shop, [first.delivery_id, posted.delivery_id], gated=False) == [FIRST]
    assert partition(shop, FIRST)["rows"] == 2
    assert {source: part["rows"] for source, part in partition(shop, FIRST)["by_source"].items()} == {
        "canonical": 1,
        "inbox": 1,
    }


def test_a_good_row_is_no_duplicate_of_one_that_is_too_late(shop: Settings, tmp_path: Path, take: Any) -> None:
    path = tmp_path / "log.csv"
    rows = ["e1,i,view,2009-01-01 10:00:00", f"e1,i,view,{FIRST} 10:00:00", "e1,i,view,2009-01-02 10:00:00"]
    path.write_text("\n".join(["event_id,item_id,event_type,occurred_at", *rows]) + "\n")
    manifest = take(path, source="canonical")
    assert (manifest.accepted, manifest.duplicate, manifest.quarantined_by_reason) == (1, 0, {"too_late": 2})


def test_a_file_and_its_packed_copy_in_one_delivery_are_one(take: Any, write: Any, line: Any) -> None:
    path = write("a.csv", [line(), line(Invoice="2")])
    copy = path.with_name("b.csv.gz")
    copy.write_bytes(gzip.compress(path.read_bytes()))
    manifest = take(path, copy)
    assert (manifest.accepted, manifest.duplicate) == (2, 2)


def test_late_rows_go_when_the_same_delivery_is_taken_with_a_smaller_limit(
    shop: Settings, take: Any, write: Any, line: Any, read: Any
) -> None:
    take(write("1.csv", [line()]))
    late = write("2.csv", [line(Invoice="2"), line(Invoice="3", InvoiceDate=at("03 08:00"))])
    span = Span.of_day(date(2010, 12, 3))
    assert take(late, span=span).late == 1
    assert partition(shop, FIRST)["rows"] == 2
    strict = shop.model_copy(update={"late_days": 1})
    manifest = ingest(strict, SOURCE, [late], span, bulk=False, delivered_at=datetime(2010, 12, 4, tzinfo=UTC))
    publish(strict, [manifest.delivery_id], gated=False)
    assert (manifest.late, manifest.quarantined_by_reason) == (0, {"too_late": 1})
    assert [event["session_id"] for event in read(Span.of_day(FIRST))] == ["536365"]
    assert partition(shop, FIRST)["rows"] == 1
