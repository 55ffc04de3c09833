"""Refused rows can be found again, looked at, taken again under their old ids, or dropped for a reason."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from features.events.ingest import ingest
from features.events.keeping.emptied import empty
from features.events.log import event_files
from features.events.manifest import read_published
from features.events.publish import publish
from infra.errors import DeliveryError
from infra.partitions import Span
from infra.settings import Settings
from validation.quarantine import QUARANTINE, Which, by_reason, decide, refused
from validation.replay import Replay, drop, settle, stage_replay

pytestmark = pytest.mark.thorough  # seconds in sum

HEADER = "item_id,event_type,occurred_at,quantity"
SPAN = Span.of_day(date(2010, 12, 1))
GOOD = "x,view,2010-12-01 10:00:00,1"
LATER = datetime(2010, 12, 9, tzinfo=UTC)


@pytest.fixture
def shop(tmp_path: Path, make_settings: Callable[..., Settings]) -> Settings:
    found = make_settings(tmp_path / "home", clock="2010-12-10T00:00:00+00:00")
    found.home.mkdir(parents=True)
    return found


def deliver(shop: Settings, name: str, rows: list[str], *, published: bool = True, header: str = HEADER) -> str:
    path = shop.home / name
    path.write_text("\n".join([header, *rows]) + "\n")
    delivered = datetime(2010, 12, 2, tzinfo=UTC)
    manifest = ingest(shop, "canonical", [path], SPAN, bulk=False, delivered_at=delivered)
    if published:
        publish(shop, [manifest.delivery_id], gated=False)
    return manifest.delivery_id


def replay(shop: Settings, which: Which) -> list[Replay]:
    replays = stage_replay(shop, which)
    for one in replays:
        publish(shop, [one.manifest.delivery_id], gated=False)
        settle(shop, one, "ann", "the rule was mended")
    return replays


def log(shop: Settings) -> list[dict[str, Any]]:
    files = event_files(shop.lake, SPAN)
    return [row for path in files for row in pq.ParquetFile(path).read().to_pylist()]


@pytest.fixture
def mended(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Mend a rule: from now on it refuses nothing."""
    from features.events.reading import query

    def mend(reason: str) -> None:
        monkeypatch.setattr(query, "COMMON", tuple(rule for rule in query.COMMON if rule[0] != reason))

    return mend


def test_an_empty_lake_has_no_quarantine(shop: Settings) -> None:
    assert by_reason(shop.lake) == {}
    assert refused(shop.lake).schema == QUARANTINE


def test_rows_are_found_by_delivery_reason_day_and_name(shop: Settings) -> None:
    bad = ["x,dance,2010-12-01 10:00:00,0", "x,view,never,1", ",view,2010-12-01 10:00:00,1"]
    first = deliver(shop, "a.csv", [GOOD, *bad])
    second = deliver(shop, "b.csv", ["x,view,never,2"])
    deliver(shop, "c.csv", ["x,view,never,3"], published=False)
    assert by_reason(shop.lake) == {
        "time_unreadable": 2,
        "item_missing": 1,
        "quantity_not_positive": 1,
        "type_unknown": 1,
    }
    assert by_reason(shop.lake, Which(delivery=second)) == {"time_unreadable": 1}
    [row] = refused(shop.lake, Which(rule="type_unknown")).to_pylist()
    assert (row["delivery_id"], row["file"], row["row"], row["position"]) == (first, "a.csv", 2, 2)
    assert (row["day"], row["state"]) == (date(2010, 12, 1), "open")
    assert row["reasons"] == ["type_unknown", "quantity_not_positive"]
    assert json.loads(row["original"])["event_type"] == "dance"
    assert refused(shop.lake, Which(delivery=first))["row"].to_pylist() == [2, 3, 4]
    assert refused(shop.lake, Which(day="2010-12-01"))["row"].to_pylist() == [2, 4]
    assert refused(shop.lake, Which(row=f"{first}:3"))["row"].to_pylist() == [3]
    assert len(refused(shop.lake, limit=1)) == 1


@pytest.mark.parametrize("row", ["x", "x:", ":1", "x:one", "x:-1"])
def test_a_name_that_is_none_is_refused(shop: Settings, row: str) -> None:
    with pytest.raises(DeliveryError, match="names no refused row"):
        refused(shop.lake, Which(row=row))


def test_replayed_rows_come_in_under_their_old_ids(shop: Settings, mended: Any) -> None:
    first = deliver(shop, "a.csv", [GOOD, "x,view,2010-12-01 11:00:00,0", "x,view,2010-12-01 12:00:00,0"])
    old = refused(shop.lake)["event_id"].to_pylist()
    before = read_published(shop.lake, first)
    mended("quantity_not_positive")
    [one] = replay(shop, Which(delivery=first))
    assert (one.manifest.rows_in, one.manifest.accepted) == (2, 2)
    rows = {row["event_id"]: row for row in log(shop)}
    assert set(old) < set(rows)
    assert len(rows) == 3
    assert {rows[event]["ingested_at"] for event in old} == {datetime(2010, 12, 10, tzinfo=UTC)}  # known from now on
    assert read_published(shop.lake, first) == before
    assert json.loads(shop.lake.partition(SPAN.start).read_text())["rows"] == 3
    [told, _] = refused(shop.lake, Which(state="replayed")).to_pylist()
    assert (told["actor"], told["why"], told["replayed_into"]) == (
        "ann",
        "the rule was mended",
        one.manifest.delivery_id,
    )
    assert len(refused(shop.lake, Which())) == 0


def test_the_mended_file_brings_nothing_twice(shop: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A value that could not be read is part of what a row says: read after all, the row's id is another."""
    from features.events.reading import query

    rows = [GOOD, "x,view,2010-12-01 11:00:00,six"]
    first = deliver(shop, "a.csv", rows)
    [old] = refused(shop.lake)["event_id"].to_pylist()
    six = {**query._TYPED, "quantity": "CASE read_quantity WHEN 'six' THEN 6 ELSE whole(read_quantity) END"}
    monkeypatch.setattr(query, "_TYPED", six)
    replay(shop, Which(delivery=first))
    assert [row["quantity"] for row in log(shop) if row["event_id"] == old] == [6]
    again = deliver(shop, "b.csv", [*rows, "x,view,2010-12-01 13:00:00,1"])
    assert (read_published(shop.lake, again).duplicate, len(log(shop))) == (2, 3)


def test_the_mended_file_first_and_the_replay_afterwards_brings_nothing_twice(
    shop: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    from features.events.reading import query

    first = deliver(shop, "a.csv", ["x,view,2010-12-01 11:00:00,six"])
    six = {**query._TYPED, "quantity": "CASE read_quantity WHEN 'six' THEN 6 ELSE whole(read_quantity) END"}
    monkeypatch.setattr(query, "_TYPED", six)
    deliver(shop, "b.csv", ["x,view,2010-12-01 11:00:00,six", GOOD])
    [one] = replay(shop, Which(delivery=first))
    assert (one.manifest.duplicate, len(log(shop))) == (1, 2)


def test_equal_rows_come_back_as_many_as_they_were(shop: Settings, mended: Any) -> None:
    deliver(shop, "a.csv", ["x,view,2010-12-01 11:00:00,0"] * 3)
    mended("quantity_not_positive")
    [one] = replay(shop, Which(rule="quantity_not_positive"))
    assert (one.manifest.accepted, len({row["event_id"] for row in log(shop)})) == (3, 3)


def test_what_is_refused_again_stays_under_the_replays_name(shop: Settings) -> None:
    first = deliver(shop, "a.csv", ["x,view,2010-12-01 11:00:00,0"])
    [one] = replay(shop, Which(delivery=first))
    assert one.manifest.quarantined == 1
    [row] = refused(shop.lake, Which()).to_pylist()
    assert row["delivery_id"] == one.manifest.delivery_id
    assert row["event_id"] == refused(shop.lake, Which(delivery=first, state=None))["event_id"].to_pylist()[0]


def test_a_replay_touches_only_the_days_of_its_rows(shop: Settings, mended: Any) -> None:
    path = shop.home / "year.csv"
    days = [f"x,view,2010-11-{day:02} 10:00:00,{day % 2}" for day in range(1, 31)]
    path.write_text("\n".join([HEADER, *days]) + "\n")
    span = Span(date(2010, 11, 1), date(2010, 12, 1))
    manifest = ingest(shop, "canonical", [path], span, bulk=True, delivered_at=LATER)
    publish(shop, [manifest.delivery_id], gated=False)
    before = {day: shop.lake.partition(day).read_bytes() for day in span.days()}
    mended("quantity_not_positive")
    replay(shop, Which(day="2010-11-04"))
    assert [day for day in span.days() if shop.lake.partition(day).read_bytes() != before[day]] == [date(2010, 11, 4)]


def test_dying_before_the_decision_is_written_loses_and_doubles_nothing(shop: Settings, mended: Any) -> None:
    first = deliver(shop, "a.csv", ["x,view,2010-12-01 11:00:00,0"])
    mended("quantity_not_positive")
    [cut_short] = stage_replay(shop, Which(delivery=first))
    publish(shop, [cut_short.manifest.delivery_id], gated=False)
    [again] = replay(shop, Which(delivery=first))
    assert again.manifest.delivery_id == cut_short.manifest.delivery_id
    assert len(log(shop)) == 1
    assert len(refused(shop.lake, Which())) == 0


def test_rows_of_several_deliveries_and_files_are_replayed_at_once(shop: Settings, mended: Any) -> None:
    deliver(shop, "a.csv", ["x,view,2010-12-01 11:00:00,0"])
    deliver(shop, "b.csv", ["u,x,view,2010-12-01 12:00:00,0"], header=f"user_id,{HEADER}")
    mended("quantity_not_positive")
    replays = replay(shop, Which(rule="quantity_not_positive"))
    assert [one.manifest.accepted for one in replays] == [1, 1]
    assert {row["user_id"] for row in log(shop)} == {None, "u"}


def test_rows_that_come_again_with_another_delivery_are_open_once(shop: Settings, mended: Any) -> None:
    bad = ["x,view,2010-12-01 11:00:00,?", "y,view,2010-12-01 12:00:00,?"]
    deliver(shop, "day.csv", [GOOD, *bad, bad[0]])
    deliver(shop, "part.csv", [bad[0]])
    assert by_reason(shop.lake, Which()) == {"quantity_unreadable": 3}
    assert by_reason(shop.lake, Which(state="repeated")) == {"quantity_unreadable": 1}
    assert drop(shop, Which(), "ann", "enough") == 3
    deliver(shop, "rest.csv", [bad[1]])
    assert by_reason(shop.lake, Which()) == {}
    assert by_reason(shop.lake, Which(state="repeated")) == {"quantity_unreadable": 2}


def test_rows_that_every_replay_refuses_stay_open(shop: Settings, mended: Any) -> None:
    deliver(shop, "day.csv", [GOOD, "x,view,2010-12-01 11:00:00,?"])
    for _ in range(3):
        replay(shop, Which())
        assert sorted(row["state"] for row in refused(shop.lake, Which(state=None)).to_pylist()) == ["open", "replayed"]
    mended("quantity_unreadable")
    replay(shop, Which())
    assert [row["state"] for row in refused(shop.lake, Which(state=None)).to_pylist()] == ["replayed"]
    assert len(log(shop)) == 2


def test_dropped_rows_stay_with_the_reason(shop: Settings) -> None:
    first = deliver(shop, "a.csv", ["x,view,never,1", "x,dance,2010-12-01 11:00:00,1"])
    assert drop(shop, Which(rule="time_unreadable"), "ann", "the clock was broken") == 1
    [row] = refused(shop.lake, Which(state="dropped")).to_pylist()
    assert (row["why"], row["actor"], row["decided_at"]) == (
        "the clock was broken",
        "ann",
        datetime(2010, 12, 10, tzinfo=UTC),
    )
    assert by_reason(shop.lake, Which()) == {"type_unknown": 1}
    with pytest.raises(DeliveryError, match="No open row"):
        drop(shop, Which(rule="time_unreadable"), "ann", "again")
    with pytest.raises(DeliveryError, match="without a reason"):
        drop(shop, Which(delivery=first), "ann", " ")


def test_nothing_to_replay_is_said(shop: Settings) -> None:
    with pytest.raises(DeliveryError, match=r"No open row.*penchant quarantine list"):
        stage_replay(shop, Which(rule="time_missing"))


def test_rows_that_had_their_time_are_no_longer_found(shop: Settings) -> None:
    first, second = (deliver(shop, f"{name}.csv", [f"{name},view,never,1"]) for name in "ab")
    empty(shop.lake.quarantine(first))
    assert by_reason(shop.lake) == {"time_unreadable": 1}
    assert refused(shop.lake)["delivery_id"].to_pylist() == [second]
    assert refused(shop.lake, Which(delivery=first)) == QUARANTINE.empty_table()


def test_equal_rows_come_back_one_by_one(shop: Settings, mended: Any) -> None:
    bad = "x,view,2010-12-01 11:00:00,0"
    first = deliver(shop, "a.csv", [GOOD, bad, bad])
    mended("quantity_not_positive")
    for position in (2, 3):
        replay(shop, Which(row=f"{first}:{position}"))
    assert len({event["event_id"] for event in log(shop)}) == len(log(shop)) == 3
    assert len(refused(shop.lake, Which())) == 0


def test_equal_rows_of_one_id_each_come_back_one_by_one(shop: Settings, mended: Any) -> None:
    rows = [f"e{n},x,view,2010-12-01 11:00:00,0" for n in (1, 2)]
    first = deliver(shop, "a.csv", ["e0,x,view,2010-12-01 10:00:00,1", *rows], header=f"event_id,{HEADER}")
    mended("quantity_not_positive")
    for position in (2, 3):
        replay(shop, Which(row=f"{first}:{position}"))
    assert sorted(event["event_id"] for event in log(shop)) == ["e0", "e1", "e2"]


def test_a_row_that_was_replayed_is_not_dropped_by_who_came_too_late(shop: Settings, mended: Any) -> None:
    deliver(shop, "a.csv", [GOOD, "x,view,2010-12-01 11:00:00,0"])
    seen = refused(shop.lake, Which())
    mended("quantity_not_positive")
    replay(shop, Which())
    decide(shop.lake, seen, "dropped", at=datetime(2011, 1, 1, tzinfo=UTC), actor="ben", why="no use")
    [row] = refused(shop.lake).to_pylist()
    assert row["state"] == "replayed"


def test_two_decisions_of_one_moment_are_both_kept(shop: Settings) -> None:
    first = deliver(shop, "a.csv", [GOOD, "x,view,never,1", "x,view,ever,1"])
    rows = [refused(shop.lake, Which(row=f"{first}:{position}")) for position in (2, 3)]
    with ThreadPoolExecutor(2) as pool:
        drops = [pool.submit(decide, shop.lake, one, "dropped", at=LATER, actor="ann", why="no use") for one in rows]
    assert [one.result() for one in drops] == [None, None]
    assert refused(shop.lake, Which(state="dropped")).num_rows == 2


def test_a_position_of_any_length_is_no_error(shop: Settings) -> None:
    first = deliver(shop, "a.csv", [GOOD, "x,view,never,1"])
    assert refused(shop.lake, Which(row=f"{first}:{'9' * 44}")).num_rows == 0
