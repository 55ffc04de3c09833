"""Refused rows can be found again, by delivery and by reason."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from features.events.ingest import ingest
from features.events.publish import publish
from features.events.refused import empty
from features.events.staging import REFUSED
from infra.partitions import Span
from infra.settings import Settings
from validation.quarantine import by_reason, refused

HEADER = "item_id,event_type,occurred_at,quantity"
SPAN = Span.of_day(date(2010, 12, 1))


@pytest.fixture
def shop(tmp_path: Path, make_settings: Callable[..., Settings]) -> Settings:
    found = make_settings(tmp_path / "home", clock="2010-12-10T00:00:00+00:00")
    found.home.mkdir(parents=True)
    return found


def deliver(shop: Settings, name: str, rows: list[str], *, published: bool = True) -> str:
    path = shop.home / name
    path.write_text("\n".join([HEADER, *rows]) + "\n")
    delivered = datetime(2010, 12, 2, tzinfo=UTC)
    manifest = ingest(shop, "canonical", [path], SPAN, bulk=False, delivered_at=delivered)
    if published:
        publish(shop, [manifest.delivery_id], gated=False)
    return manifest.delivery_id


def test_an_empty_lake_has_no_quarantine(shop: Settings) -> None:
    assert by_reason(shop.lake) == {}
    assert refused(shop.lake).schema == REFUSED


def test_rows_are_found_by_delivery_and_reason(shop: Settings) -> None:
    bad = ["x,dance,2010-12-01 10:00:00,0", "x,view,never,1", ",view,2010-12-01 10:00:00,1"]
    first = deliver(shop, "a.csv", ["x,view,2010-12-01 10:00:00,1", *bad])
    second = deliver(shop, "b.csv", ["x,view,never,2"])
    deliver(shop, "c.csv", ["x,view,never,3"], published=False)
    assert by_reason(shop.lake) == {
        "time_unreadable": 2,
        "item_missing": 1,
        "quantity_not_positive": 1,
        "type_unknown": 1,
    }
    assert by_reason(shop.lake, second) == {"time_unreadable": 1}
    [row] = refused(shop.lake, reason="type_unknown").to_pylist()
    assert (row["delivery_id"], row["file"], row["row"], row["day"]) == (first, "a.csv", 2, date(2010, 12, 1))
    assert row["reasons"] == ["type_unknown", "quantity_not_positive"]
    assert json.loads(row["original"])["event_type"] == "dance"
    assert refused(shop.lake, delivery_id=first)["row"].to_pylist() == [2, 3, 4]
    assert len(refused(shop.lake, limit=1)) == 1


def test_rows_that_had_their_time_are_no_longer_found(shop: Settings) -> None:
    first, second = (deliver(shop, f"{name}.csv", [f"{name},view,never,1"]) for name in "ab")
    empty(shop.lake.quarantine(first))
    assert by_reason(shop.lake) == {"time_unreadable": 1}
    assert refused(shop.lake)["delivery_id"].to_pylist() == [second]
    assert refused(shop.lake, delivery_id=first) == REFUSED.empty_table()
