"""The shop's clock: the one place that knows what time it is.

Computations take the moment as an argument; whoever starts one asks a clock that was handed to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from infra.errors import SettingsError


class Clock(Protocol):
    """Tells the shop's present moment, aware and in UTC."""

    def now(self) -> datetime: ...


@dataclass(frozen=True)
class WallClock:
    """The time of day outside."""

    def now(self) -> datetime:
        return datetime.now(UTC)


@dataclass(frozen=True)
class FixedClock:
    """Always the same moment: for tests and for runs that must repeat."""

    moment: datetime

    def now(self) -> datetime:
        return self.moment


@dataclass(frozen=True)
class ReplayedClock:
    """Shows ``moment`` at the wall time ``anchor`` and goes on from there at the pace of the wall."""

    moment: datetime
    anchor: datetime

    def now(self) -> datetime:
        return self.moment + (datetime.now(UTC) - self.anchor)


def parse_clock(text: str) -> Clock:
    """Read the ``clock`` setting.

    Args:
        text: ``wall``; or an ISO 8601 moment with an offset, a clock that stands still; or
            ``MOMENT/ANCHOR``, a clock that shows MOMENT when the wall shows ANCHOR and then ticks.

    Raises:
        SettingsError: the text is none of these.
    """
    if text == "wall":
        return WallClock()
    try:
        moments = [datetime.fromisoformat(part) for part in text.split("/")]
    except ValueError:
        moments = []
    if not 1 <= len(moments) <= 2 or any(moment.tzinfo is None for moment in moments):
        raise SettingsError(
            f"The setting clock is {text!r}.",
            "Use 'wall', a moment such as 2010-12-10T00:00:00+00:00, or MOMENT/ANCHOR.",
        )
    if len(moments) == 1:
        return FixedClock(moments[0].astimezone(UTC))
    return ReplayedClock(moments[0].astimezone(UTC), moments[1].astimezone(UTC))
