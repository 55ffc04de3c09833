"""What lies in a landing folder, and what it means when nothing does."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from features.events.arrivals import take_day, take_history
from features.events.landing_folder import find_files, skip
from features.events.log import event_files
from features.events.publish import publish
from infra.errors import DeliveryError, FeatureError, PartitionRefused
from infra.partitions import Span
from infra.settings import Settings

DAY = date(2010, 12, 1)
SOURCE = "online-retail"


def partition(shop: Settings) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(shop.lake.partition(DAY).read_text())
    return found


def test_a_day_without_a_folder_says_what_to_do(shop: Settings) -> None:
    with pytest.raises(DeliveryError, match=r"dt=2010-12-01 does not exist.*penchant skip 2010-12-01 --reason"):
        take_day(shop, SOURCE, DAY)


def test_a_history_without_a_folder_says_what_to_do(shop: Settings) -> None:
    with pytest.raises(DeliveryError, match=r"history does not exist.*Put the files"):
        take_history(shop, SOURCE, Span.of_day(DAY))


def test_a_folder_without_data_names_what_it_holds(shop: Settings) -> None:
    folder = shop.lake.landing_day(SOURCE, DAY)
    folder.mkdir(parents=True)
    (folder / "readme.txt").write_text("soon")
    with pytest.raises(DeliveryError, match=r"No data file.*readme\.txt"):
        take_day(shop, SOURCE, DAY)


@pytest.mark.parametrize(
    ("marker", "closed", "reason"), [("", "empty", "the shop was closed"), ("till broke\n", "skipped", "till broke")]
)
def test_a_closed_day_publishes_an_empty_partition(shop: Settings, marker: str, closed: str, reason: str) -> None:
    folder = shop.lake.landing_day(SOURCE, DAY)
    folder.mkdir(parents=True)
    (folder / "_CLOSED").write_text(marker)
    [manifest] = take_day(shop, SOURCE, DAY)
    assert publish(shop, [manifest.delivery_id], gated=False) == [DAY]
    assert (partition(shop)["closed"], partition(shop)["reason"], partition(shop)["rows"]) == (closed, reason, 0)
    assert partition(shop)["known_at"] == "2010-12-10T01:00:00+00:00"
    assert len(event_files(shop.lake, Span.of_day(DAY))) == 1


def test_skip_releases_a_day(shop: Settings) -> None:
    skip(shop, SOURCE, Span.of_day(DAY), "lost in the move")
    found = find_files(shop, SOURCE, DAY)
    assert (found.files, found.closed, found.reason) == ((), "skipped", "lost in the move")


def test_skip_releases_several_days_or_none_of_them(shop: Settings, write: Any, line: Any) -> None:
    span = Span(DAY, DAY + timedelta(days=3))
    path = write("a.csv", [line()], shop.lake.landing_day(SOURCE, DAY + timedelta(days=1)))
    with pytest.raises(DeliveryError, match=r"2010-12-02 has data"):
        skip(shop, SOURCE, span, "lost in the move")
    assert not shop.lake.landing_day(SOURCE, DAY).exists()
    path.unlink()
    assert [marker.parent.name for marker in skip(shop, SOURCE, span, "lost in the move").values()] == [
        f"dt={day}" for day in span.days()
    ]
    assert find_files(shop, SOURCE, DAY + timedelta(days=2)).reason == "lost in the move"


def test_skip_wants_a_reason_and_a_day_without_data(shop: Settings, write: Any, line: Any) -> None:
    with pytest.raises(DeliveryError, match="without a reason"):
        skip(shop, SOURCE, Span.of_day(DAY), " ")
    write("a.csv", [line()], shop.lake.landing_day(SOURCE, DAY))
    with pytest.raises(DeliveryError, match="has data"):
        skip(shop, SOURCE, Span.of_day(DAY), "not wanted")


def test_data_beside_the_marker_is_a_contradiction(shop: Settings, write: Any, line: Any) -> None:
    skip(shop, SOURCE, Span.of_day(DAY), "lost")
    write("a.csv", [line()], shop.lake.landing_day(SOURCE, DAY))
    with pytest.raises(DeliveryError, match=r"holds a\.csv and the marker _CLOSED"):
        take_day(shop, SOURCE, DAY)


def test_a_delivery_may_say_when_it_came(shop: Settings, write: Any, line: Any, read: Any) -> None:
    folder = shop.lake.landing_day(SOURCE, DAY)
    write("a.csv", [line()], folder)
    (folder / "_delivery.json").write_text('{"delivered_at": "2010-12-02T03:00:00+01:00"}')
    [manifest] = take_day(shop, SOURCE, DAY)
    assert manifest.ignored_files == ()
    publish(shop, [manifest.delivery_id], gated=False)
    assert read()[0]["ingested_at"] == datetime(2010, 12, 2, 2, tzinfo=UTC)


@pytest.mark.parametrize("content", ["{}", "[", '{"delivered_at": "2010-12-02"}', '{"delivered_at": 5}', "[1]"])
def test_a_marker_that_cannot_be_used_is_named(shop: Settings, write: Any, line: Any, content: str) -> None:
    folder = shop.lake.landing_day(SOURCE, DAY)
    write("a.csv", [line()], folder)
    (folder / "_delivery.json").write_text(content)
    with pytest.raises(DeliveryError, match=r"_delivery\.json cannot be used"):
        take_day(shop, SOURCE, DAY)


def test_a_delivery_without_a_moment_is_known_from_its_first_ingest_on(
    make_settings: Any, tmp_path: Any, write: Any, line: Any
) -> None:
    first = make_settings(tmp_path / "home", clock="2010-12-05T00:00:00+00:00")
    later = make_settings(tmp_path / "home", clock="2010-12-08T00:00:00+00:00")
    write("a.csv", [line()], first.lake.landing_day(SOURCE, DAY))
    [manifest] = take_day(first, SOURCE, DAY)
    assert manifest.delivered_at == datetime(2010, 12, 5, tzinfo=UTC)
    assert take_day(later, SOURCE, DAY) == [manifest]
    publish(first, [manifest.delivery_id], gated=False)
    assert take_day(later, SOURCE, DAY) == [manifest]


def test_a_row_after_its_own_delivery_is_in_the_future(shop: Settings, write: Any, line: Any) -> None:
    folder = shop.lake.landing_day(SOURCE, DAY)
    write("a.csv", [line(), line(InvoiceDate="2010-12-01 08:27:00")], folder)
    (folder / "_delivery.json").write_text('{"delivered_at": "2010-12-01T08:26:30+00:00"}')
    [manifest] = take_day(shop, SOURCE, DAY)
    assert manifest.quarantined_by_reason == {"in_the_future": 1}


def test_history_is_one_delivery_of_all_its_files(shop: Settings, write: Any, line: Any) -> None:
    folder = shop.lake.landing_history(SOURCE)
    write("b.csv", [line(Invoice="2")], folder)
    write("a.csv", [line(Invoice="1"), line(Invoice="2")], folder)
    manifest = take_history(shop, SOURCE, Span.of_day(DAY))
    assert [file.name for file in manifest.files] == ["a.csv", "b.csv"]
    assert (manifest.bulk, manifest.accepted, manifest.duplicate) == (True, 2, 1)


def test_nothing_is_published_that_the_gate_has_not_seen(shop: Settings, take: Any, write: Any, line: Any) -> None:
    manifest = take(write("a.csv", [line()]), published=False)
    with pytest.raises(PartitionRefused, match="has not seen"):
        publish(shop, [manifest.delivery_id])
    assert shop.lake.closed_days() == []


def test_a_delivery_that_was_never_staged_cannot_be_published(shop: Settings) -> None:
    with pytest.raises(DeliveryError, match="no delivery x"):
        publish(shop, ["x"])


def test_reading_days_that_are_not_closed_names_them(shop: Settings, take: Any, write: Any, line: Any) -> None:
    take(write("a.csv", [line()]))
    with pytest.raises(FeatureError, match=r"2 of the 3 days .* not closed: 2010-12-02, 2010-12-03"):
        event_files(shop.lake, Span(DAY, date(2010, 12, 4)))


def test_a_delivery_of_a_clock_that_is_a_little_ahead_is_taken(shop: Settings, write: Any, line: Any) -> None:
    folder = shop.lake.landing_day(SOURCE, DAY)
    write("a.csv", [line()], folder)
    ahead = shop.shop_clock().now() + timedelta(hours=1)
    (folder / "_delivery.json").write_text(json.dumps({"delivered_at": ahead.isoformat()}))
    assert take_day(shop, SOURCE, DAY)[0].delivered_at == ahead


def test_a_delivery_from_the_future_is_refused(shop: Settings, write: Any, line: Any) -> None:
    folder = shop.lake.landing_day(SOURCE, DAY)
    write("a.csv", [line()], folder)
    (folder / "_delivery.json").write_text('{"delivered_at": "9999-01-01T00:00:00+05:00"}')
    with pytest.raises(DeliveryError, match=r"says that it was delivered at 9998-12-31.*clock shows"):
        take_day(shop, SOURCE, DAY)


@pytest.mark.parametrize(
    ("marker", "content"),
    [
        ("_delivery.json", '{"delivered_at": "0001-01-01T00:00:00+05:00"}'),
        ("_published.json", "{}"),
        ("_published.json", "junk"),
    ],
)
def test_any_marker_that_cannot_be_used_is_named(
    shop: Settings, write: Any, line: Any, marker: str, content: str
) -> None:
    folder = shop.lake.landing_day(SOURCE, DAY)
    write("a.csv", [line()], folder)
    (folder / marker).write_text(content)
    with pytest.raises(DeliveryError, match=rf"{marker} cannot be used"):
        take_day(shop, SOURCE, DAY)


@pytest.mark.parametrize("source", ["cannonical", "../../../outside"])
def test_a_day_of_a_source_that_is_none_is_not_released(shop: Settings, tmp_path: Path, source: str) -> None:
    with pytest.raises(DeliveryError, match="There is no source"):
        skip(shop, source, Span.of_day(DAY), "holiday")
    assert not list(tmp_path.rglob("_CLOSED"))
