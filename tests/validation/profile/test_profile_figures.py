"""The figures of a profile are those that a person would count in the same rows."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from infra.errors import FeatureError, MachineError, SettingsError
from infra.lake import read_json, write_json
from infra.partitions import Span
from validation.profile.counts import EVENTS, mix, opened

pytestmark = pytest.mark.thorough  # seconds in sum

DAY = date(2010, 12, 1)
NEXT = DAY + timedelta(days=1)
TWO_DAYS = Span(DAY, DAY + timedelta(days=2))


def test_hours_are_those_of_the_shop(shop: Any, row: Any) -> None:
    shop.deliver(DAY, row("2010-11-30T23:30:00Z"), row("2010-12-01T22:59:00Z"), row("2010-12-01 12:15:00"))
    hours = shop.measure(DAY).hours
    assert {hour: rows for hour, rows in enumerate(hours) if rows} == {0: 1, 12: 1, 23: 1}
    assert len(hours) == 24


def test_rows_are_counted_by_day_and_type(shop: Any, row: Any) -> None:
    rows = [row(f"{DAY} 10:00:00", event_type="cart"), row(f"{DAY} 10:01:00"), row(f"{NEXT} 10:00:00")]
    shop.deliver(TWO_DAYS, *rows)
    found = shop.measure(TWO_DAYS)
    assert found.mix == {DAY: {"cart": 1, "view": 1}, NEXT: {"view": 1}}
    assert (found.rows, found.sources, found.time_zone) == (3, ("canonical",), "Europe/Berlin")
    assert shop.measure(NEXT).mix == {NEXT: {"view": 1}}


def test_guests_are_rows_without_a_user_and_no_users(shop: Any, row: Any) -> None:
    shop.deliver(DAY, row(f"{DAY} 10:00:00"), row(f"{DAY} 11:00:00", item_id="i2"), row(f"{DAY} 12:00:00", user_id=""))
    found = shop.measure(DAY)
    assert (found.users, found.items, found.guests) == (1, 2, 1)


def test_dwell_times_are_put_into_steps_by_their_upper_end(shop: Any, row: Any) -> None:
    dwell = [0, 1, 1000, 1001, 100_000_001]
    rows = [row(f"{DAY} 10:00:0{n}", dwell_ms=value) for n, value in enumerate(dwell)]
    shop.deliver(DAY, *rows, row(f"{DAY} 12:00:00"))
    found = shop.measure(DAY)
    assert found.dwell is not None
    assert (found.dwell.rows, found.dwell.least, found.dwell.median, found.dwell.most) == (5, 0, 1000, 100_000_001)
    held = {edge: count for edge, count in zip(found.dwell_bins.edges, found.dwell_bins.counts, strict=False) if count}
    assert held == {0: 1, 1: 1, 1000: 1, 1778: 1}
    assert found.dwell_bins.counts[-1] == 1


def test_nobody_says_how_long_is_told_from_no_time_at_all(shop: Any, row: Any) -> None:
    shop.deliver(DAY, row(f"{DAY} 10:00:00"))
    shop.deliver(NEXT, row(f"{NEXT} 10:00:00", dwell_ms=0))
    assert shop.measure(DAY).dwell is None
    assert shop.measure(NEXT).dwell.most == 0


def test_prices_and_quantities_are_by_type_and_money_is_not_mixed(shop: Any, row: Any) -> None:
    bought = {"event_type": "purchase", "quantity": 2}
    pounds = [row(f"{DAY} 10:00:{n % 60:02}", **bought, price=n, currency="GBP", event_id=n) for n in range(1, 201)]
    euros = row(f"{DAY} 11:00:00", **bought, price=7, currency="EUR")
    back = row(f"{DAY} 12:00:00", event_type="return", quantity=1, price=9, currency="GBP")
    shop.deliver(DAY, *pounds, euros, back)
    found = {(one.what, one.unit): one for one in shop.measure(DAY).amounts}
    assert set(found) == {
        ("price, purchase", "minor units of GBP"),
        ("price, purchase", "minor units of EUR"),
        ("price, return", "minor units of GBP"),
        ("quantity, purchase", "pieces"),
        ("quantity, return", "pieces"),
    }
    price = found["price, purchase", "minor units of GBP"]
    assert (price.rows, price.least, price.median, price.p99, price.most) == (200, 1, 100, 198, 200)
    assert found["quantity, purchase", "pieces"].rows == 201


def test_new_is_what_no_closed_day_before_had(shop: Any, row: Any) -> None:
    shop.deliver(DAY, row(f"{DAY} 10:00:00"), row(f"{DAY} 11:00:00", user_id="u2"))
    nobody = row(f"{NEXT} 09:00:00", user_id="", item_id="", event_type="search")
    shop.deliver(NEXT, nobody, row(f"{NEXT} 10:00:00"), row(f"{NEXT} 11:00:00", user_id="u3", item_id="i2"))
    found = shop.measure(NEXT)
    assert [(day.day, day.new_users, day.new_items) for day in found.course] == [(DAY, 2, 1), (NEXT, 1, 1)]
    assert (found.earlier_days, [day.day for day in found.days]) == (1, [NEXT])
    assert [day.new_users for day in shop.measure(TWO_DAYS).days] == [2, 1]


@pytest.mark.parametrize(("span", "first"), [(Span.of_day(DAY + timedelta(days=4)), 3), (Span(DAY, NEXT), 0)])
def test_the_course_ends_with_the_span_and_has_the_last_days(shop_with: Any, row: Any, span: Span, first: int) -> None:
    shop = shop_with(profile_days=2)
    for offset in range(6):
        day = DAY + timedelta(days=offset)
        shop.deliver(day, row(f"{day} 10:00:00"))
    assert [day.day for day in shop.measure(span).course] == [
        DAY + timedelta(days=offset) for offset in range(first, (span.end - DAY).days)
    ]
    whole = Span(DAY, DAY + timedelta(days=5))
    assert [day.day for day in shop.measure(whole).course] == list(whole.days())


def test_the_same_lake_has_the_same_profile_and_the_digest_is_of_the_manifests(shop: Any, row: Any) -> None:
    first = shop.deliver(DAY, row(f"{DAY} 10:00:00"))
    found = shop.measure(DAY)
    assert (found, found.manifests) == (shop.measure(DAY), 1)
    shop.deliver(NEXT, row(f"{NEXT} 10:00:00"))
    assert shop.measure(DAY) == found
    path = shop.lake.manifest(first.delivery_id)
    write_json(path, {**read_json(path), "ignored_files": ["notes.txt"]})
    assert shop.measure(DAY).digest != found.digest
    assert json.loads(found.model_dump_json())["rows"] == 1


def test_the_day_is_that_of_the_files_own_folder(shop: Any, tmp_path: Path) -> None:
    path = tmp_path / "event_type=cart" / "dt=1999-12-31" / "dt=2010-12-01" / "d.parquet"
    path.parent.mkdir(parents=True)
    pq.write_table(pa.table({"event_type": ["view"]}), path)
    with opened(shop.settings, {EVENTS: [path]}) as connection:
        assert mix(connection) == {DAY: {"view": 1}}


def test_duckdb_stays_within_the_settings_and_spills_in_the_lake(shop_with: Any) -> None:
    settings = shop_with(memory_limit="64MB", threads=1).settings
    with opened(settings, {}) as connection:
        names = ("memory_limit", "threads", "temp_directory")
        limit, threads, spill = (
            connection.execute(f"SELECT current_setting('{name}')").fetchall()[0][0] for name in names
        )
    assert (limit, threads) == ("61.0 MiB", 1)
    assert Path(spill).parent == settings.lake.spill


def test_more_than_the_memory_that_is_allowed_is_told(shop_with: Any) -> None:
    settings = shop_with(memory_limit="10MB").settings
    with pytest.raises(MachineError, match=r"10MB of memory are not enough.*memory_limit"), opened(settings, {}) as db:
        db.execute("SELECT list(i) FROM range(100_000_000) AS r(i)")
    assert list(settings.lake.spill.iterdir()) == []


def test_a_day_that_is_not_closed_is_named(shop: Any, row: Any) -> None:
    shop.deliver(DAY, row(f"{DAY} 10:00:00"))
    with pytest.raises(FeatureError, match=f"1 of the 2 days .* not closed: {NEXT}"):
        shop.measure(TWO_DAYS)


def test_a_span_without_days_is_refused(shop: Any) -> None:
    with pytest.raises(SettingsError, match="holds no day"):
        shop.measure(Span(DAY, DAY))
