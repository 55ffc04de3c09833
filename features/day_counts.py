"""What is counted of a user's day over events of all types together; each count has windows in ``user_windows``.

A new one is one more entry here: its daily files, windows, days of change, Feast, the training set, the online store
and the documentation take it from here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from features.decay import MINUTE_US
from infra.settings import Settings

_TIMES: Final = "occurred_us"


@dataclass(frozen=True)
class DayCount:
    """A whole number of a user's day; a window adds those of its days up.

    Attributes:
        name: of the column of ``features.user_days``; that of a window is ``sessions_7d``.
        unit: of the number.
        description: what is counted.
        reads: columns of ``features.behaviour`` that it is counted from.
        of: an expression over a day's lists of them, in the order of the events' moments and without nulls;
            0 or more, never null.
    """

    name: str
    unit: str
    description: str
    reads: tuple[str, ...]
    of: Callable[[Any, Settings], Any]


def _sessions(day: Any, settings: Settings) -> Any:
    """A session ends where the user does nothing for ``session_minutes``, and with the day."""
    times, pause = day[_TIMES], settings.session_minutes * MINUTE_US
    begins = times.filter(lambda at, place: (place > 0) & (at - times[place - 1] >= pause))
    return begins.length() + 1


DAY_COUNTS: Final = (
    DayCount(
        "sessions",
        "sessions",
        "sessions: runs of events of any type without a pause of session_minutes, cut at the day's end",
        (_TIMES,),
        _sessions,
    ),
)
