from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from infra.clock import FixedClock, ReplayedClock, WallClock, parse_clock
from infra.errors import SettingsError

MOMENT = datetime(2010, 12, 10, tzinfo=UTC)


def test_the_wall_clock_ticks() -> None:
    before = datetime.now(UTC)
    assert before <= parse_clock("wall").now() <= datetime.now(UTC)
    assert isinstance(parse_clock("wall"), WallClock)


def test_a_fixed_clock_stands_still() -> None:
    clock = parse_clock("2010-12-10T01:00:00+01:00")
    assert clock == FixedClock(MOMENT)
    assert clock.now() == clock.now() == MOMENT


def test_a_replayed_clock_shows_its_moment_at_the_anchor_and_goes_on() -> None:
    anchor = datetime.now(UTC) - timedelta(hours=2)
    clock = parse_clock(f"{MOMENT.isoformat()}/{anchor.isoformat()}")
    assert clock == ReplayedClock(MOMENT, anchor)
    assert timedelta(hours=2) <= clock.now() - MOMENT < timedelta(hours=2, minutes=1)


@pytest.mark.parametrize("text", ["", "noon", "2010-12-10", "2010-12-10T00:00:00", "wall/wall", "a/b/c"])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="clock"):
        parse_clock(text)
