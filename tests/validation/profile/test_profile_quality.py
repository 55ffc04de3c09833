"""Every row of the deliveries is found again, on its day where it has one."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from infra.partitions import Span

DAY = date(2010, 12, 1)
NEXT = DAY + timedelta(days=1)
TWO_DAYS = Span(DAY, DAY + timedelta(days=2))


def test_a_delivery_is_accounted_for_and_what_lies_here_is_told(shop: Any, row: Any) -> None:
    good = [row(f"{NEXT} 10:00:00", event_id="a"), row(f"{NEXT} 10:00:00", event_id="a")]
    late, early = row(f"{DAY} 10:00:00"), row(f"{NEXT + timedelta(days=1)} 10:00:00")
    bad = [row("never"), row(f"{NEXT} 11:00:00", event_type="dance")]
    shop.deliver(DAY)
    shop.deliver(NEXT, *good, late, early, *bad, name="monday.csv", ignored_files=["notes.txt"])
    found = {one.span: one for one in shop.measure(TWO_DAYS).deliveries}
    one = found[str(Span.of_day(NEXT))]
    assert (one.rows_in, one.accepted, one.duplicate, one.late, one.early, one.quarantined) == (6, 1, 1, 1, 1, 2)
    assert one.by_reason == {"time_unreadable": 1, "type_unknown": 1}
    assert (one.files, one.ignored_files, one.bulk, one.here) == (("monday.csv",), ("notes.txt",), False, 2)
    assert [(delivery.span, delivery.here) for delivery in shop.measure(DAY).deliveries] == [
        (str(Span.of_day(DAY)), 0),
        (str(Span.of_day(NEXT)), 1),
    ]


def test_faults_count_for_the_day_of_the_row_or_else_of_its_delivery(shop: Any, row: Any) -> None:
    shop.deliver(DAY, row(f"{DAY} 09:00:00"))
    rows = [row(f"{NEXT} 10:00:00", event_id="a"), row(f"{NEXT} 10:00:00", event_id="a"), row(f"{DAY} 10:00:00")]
    bad = [row("never"), row(f"{DAY} 11:00:00", event_type="dance"), row(f"{NEXT} 11:00:00", price=-1)]
    shop.deliver(NEXT, *rows, *bad)
    found = shop.measure(TWO_DAYS)
    assert [(day.rows, day.quarantined, day.duplicate, day.late) for day in found.days] == [(2, 1, 0, 1), (1, 2, 1, 0)]
    assert [day.arrived for day in found.days] == [3, 4]
    assert found.of_no_day == {}


def test_a_history_of_several_days_leaves_some_of_them_to_no_day(shop: Any, row: Any) -> None:
    rows = [row(f"{DAY} 10:00:00", event_id="a"), row(f"{DAY} 10:00:00", event_id="a"), row("never")]
    shop.deliver(TWO_DAYS, *rows, row(f"{NEXT} 11:00:00", price=-1))
    found = shop.measure(TWO_DAYS)
    assert found.of_no_day == {"duplicate": 1, "quarantined": 1}
    assert [(day.quarantined, day.duplicate) for day in found.days] == [(0, 0), (1, 0)]


def test_the_gate_speaks_for_the_days_that_a_delivery_is_for(shop: Any, row: Any) -> None:
    shop.deliver(DAY, row(f"{DAY} 09:00:00"))
    shop.deliver(NEXT, row(f"{NEXT} 10:00:00"), row(f"{DAY} 10:00:00"), gate=([], ["row_count", "view_share"]))
    shop.deliver(NEXT, row(f"{NEXT} 12:00:00"), gate=(["price_in_range"], ["row_count"]))
    found = shop.measure(TWO_DAYS)
    assert [(day.judged, day.warnings, day.failures) for day in found.days] == [(False, 0, 0), (True, 3, 1)]


def test_days_without_rows_keep_their_reason(shop: Any, row: Any) -> None:
    shop.deliver(DAY, closed="empty", reason="Sunday")
    shop.deliver(NEXT, closed="skipped", reason="the shop lost it")
    found = shop.measure(TWO_DAYS)
    assert [(day.closed, day.reason, day.rows) for day in found.days] == [
        ("empty", "Sunday", 0),
        ("skipped", "the shop lost it", 0),
    ]
    assert (found.rows, found.mix, found.sources, sum(found.hours)) == (0, {}, ("canonical",), 0)
