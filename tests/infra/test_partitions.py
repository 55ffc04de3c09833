from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.errors import SettingsError
from infra.partitions import Span, day_end, day_of, day_start

LONDON = ZoneInfo("Europe/London")
ZONES = st.sampled_from([ZoneInfo("UTC"), LONDON, ZoneInfo("Asia/Kolkata"), ZoneInfo("America/New_York")])
DAYS = st.dates(date(1991, 1, 1), date(2040, 1, 1))


@given(DAYS, ZONES)
def test_days_follow_on_each_other_without_gap_or_overlap(day: date, zone: ZoneInfo) -> None:
    assert day_end(day, zone) == day_start(day + timedelta(days=1), zone)


@given(DAYS, ZONES)
def test_a_day_holds_its_start_and_not_its_end(day: date, zone: ZoneInfo) -> None:
    assert day_of(day_start(day, zone), zone) == day
    assert day_of(day_end(day, zone) - timedelta(microseconds=1), zone) == day
    assert day_of(day_end(day, zone), zone) == day + timedelta(days=1)


def test_the_day_the_clocks_change_has_another_length() -> None:
    spring, autumn = date(2010, 3, 28), date(2010, 10, 31)
    assert day_end(spring, LONDON) - day_start(spring, LONDON) == timedelta(hours=23)
    assert day_end(autumn, LONDON) - day_start(autumn, LONDON) == timedelta(hours=25)


def test_a_moment_is_the_shops_day_and_not_the_machines() -> None:
    assert day_of(datetime(2010, 6, 1, 23, 30, tzinfo=UTC), LONDON) == date(2010, 6, 2)


def test_a_span_is_half_open() -> None:
    span = Span(date(2010, 1, 1), date(2010, 1, 3))
    assert list(span.days()) == [date(2010, 1, 1), date(2010, 1, 2)]
    assert (len(span), date(2010, 1, 2) in span, date(2010, 1, 3) in span) == (2, True, False)
    assert Span.of_day(date(2010, 1, 1)) == Span(date(2010, 1, 1), date(2010, 1, 2))
    assert len(Span(date(2010, 1, 1), date(2010, 1, 1))) == 0


def test_a_span_cannot_end_before_it_starts() -> None:
    with pytest.raises(SettingsError, match="ends before it starts"):
        Span(date(2010, 1, 2), date(2010, 1, 1))


@pytest.mark.parametrize("day", [date.min, date(1899, 12, 31), date(9001, 1, 1), date.max])
def test_days_that_no_shop_has_are_refused(day: date) -> None:
    with pytest.raises(SettingsError, match=f"No shop has the days {day}"):
        Span.of_day(day)
