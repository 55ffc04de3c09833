from __future__ import annotations

from statistics import fmean, pstdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.decay import DAY_US, MINUTE_US
from features.rhythm import DAY_MINUTES, VISIT_US, Rhythm

DECADE_US = 3_660 * DAY_US
PAUSES = st.lists(st.integers(VISIT_US, DECADE_US) | st.integers(VISIT_US, 9 * DAY_US), min_size=1, max_size=40)


def after(*pauses_us: int) -> Rhythm:
    rhythm = Rhythm().after(None)
    for pause in pauses_us:
        rhythm = rhythm.after(pause)
    return rhythm


def test_somebody_who_comes_back_every_second_day_keeps_an_even_rhythm() -> None:
    assert after(2 * DAY_US, 2 * DAY_US, 2 * DAY_US) == Rhythm(4, 2.0, 0.0)


def test_interactions_of_one_visit_are_no_pause() -> None:
    assert after(VISIT_US - 1, 0, 3 * DAY_US, 5) == Rhythm(2, 3.0, 0.0)


@given(pauses=PAUSES)
def test_mean_and_spread_are_those_of_the_whole_minutes_between_visits(pauses: list[int]) -> None:
    days = [pause // MINUTE_US / DAY_MINUTES for pause in pauses]
    assert after(*pauses) == pytest.approx((len(pauses) + 1, fmean(days), pstdev(days)), rel=1e-9, abs=1e-6)


@given(pauses=PAUSES)
def test_the_sums_follow_from_mean_and_spread_exactly(pauses: list[int]) -> None:
    minutes = [pause // MINUTE_US for pause in pauses]
    assert after(*pauses).sums() == (sum(minutes), sum(minute * minute for minute in minutes))
