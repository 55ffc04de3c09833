"""Users with more than a row keeps: a sequence of a thousand events, a profile of twenty categories."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest

from features.advance import advance
from features.build import build
from features.decay import MINUTE_US
from features.state import Live, from_row
from infra.partitions import Span

pytestmark = pytest.mark.thorough

START = date(2010, 2, 1)
SPAN = Span(START, START + timedelta(days=3))
LENGTH = 1_000
#: The events of a user on each day.
DAYS = (500, 400, 200)
#: How often somebody viewed each of 25 categories: the sixth and the fifth alike, six times.
VIEWS = {f"c{number:02}": max(number, 6 * (number == 5)) for number in range(1, 26)}


@pytest.fixture(scope="module")
def shop(
    tmp_path_factory: pytest.TempPathFactory, make_settings: Callable[..., Any], shop_of: Any, event_of: Any
) -> Any:
    lengths = {"window_days": (1,), "half_life_days": (1, 30), "sequence_length": LENGTH}
    settings = make_settings(tmp_path_factory.mktemp("busy") / "home", **lengths)
    made = shop_of(settings)
    made.items({f"i-{category}": category for category in VIEWS})
    viewed = [f"i-{category}" for category, times in VIEWS.items() for _time in range(times)]
    events = [
        event_of(settings, START, 0, event_id=f"v{number:03}", user_id="many", item_id=item)
        for number, item in enumerate(viewed)
    ]
    events += [
        event_of(
            settings, START + timedelta(days=day), minute * MINUTE_US, item_id=f"i{number}", event_id=f"{number:04}"
        )
        for number, (day, minute) in enumerate(along())
    ]
    made.publish(SPAN, events)
    build(settings, SPAN)
    return made


def along() -> list[tuple[int, int]]:
    """Day and minute of each of the 1,100 events of the other user."""
    return [(day, minute) for day, count in enumerate(DAYS) for minute in range(count)]


def test_a_sequence_of_a_thousand_events_is_the_last_ones_in_order(shop: Any) -> None:
    rows = [found for day in shop.rows("user_sequence", SPAN).values() for found in day if found["user_id"] == "u1"]
    assert [len(row["sequence_items"]) for row in rows] == [500, 900, 1000]
    assert rows[-1]["sequence_items"] == [f"i{number}" for number in range(100, 1_100)]
    gaps = [MINUTE_US] * LENGTH
    for day in (1, 2):  # the first event of a day comes a day less so many minutes after the last one before it
        gaps[sum(DAYS[:day]) - 100] = (24 * 60 - DAYS[day - 1] + 1) * MINUTE_US
    assert rows[-1]["sequence_gaps_us"] == gaps
    # what an answer that saw the last day's events, and what is online of the day before, would know
    day_us = rows[-1]["sequence_times_us"][-DAYS[2]]
    live = [
        Live(f"i{number}", "", "view", day_us + minute * MINUTE_US, 0, 0, f"{number:04}")
        for number, (day, minute) in enumerate(along())
        if day == 2
    ]
    assert len(live) <= shop.settings.live_limit
    before = from_row("u1", rows[-2], (), (1, 30))
    lengths = {"sequence_length": LENGTH, "history_items": 10, "session_minutes": 30}
    state = advance(before, live, day_us + 24 * 60 * MINUTE_US, **lengths)
    assert state.sequence == from_row("u1", rows[-1], (), (1, 30)).sequence


def test_a_profile_keeps_the_twenty_strongest_categories(shop: Any) -> None:
    """Events of one moment: strengths are the times. Of two alike, the first by name is kept."""
    [row] = [found for found in shop.rows("user_interest", SPAN)[START] if found["user_id"] == "many"]
    kept = [*(f"c{number:02}" for number in range(25, 6, -1)), "c05"]
    shares = [VIEWS[name] / 310 for name in kept]  # 25 + 24 + ... + 7, and 6
    interest = from_row("many", row, (), (1, 30)).interest
    for place, days in enumerate((1, 30)):
        assert row[f"profile_categories_{days}d"] == kept
        assert row[f"profile_shares_{days}d"] == pytest.approx(shares, rel=1e-12)
        assert sum(row[f"profile_shares_{days}d"]) == pytest.approx(1.0, rel=1e-12)
        assert interest.profile(place) == (tuple(kept), pytest.approx(tuple(shares), rel=1e-12))
