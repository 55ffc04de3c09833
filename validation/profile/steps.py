"""Steps along an axis of days: each day, or each week where days would be too many to tell apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby
from typing import Any, Final

from validation.profile.findings import Day

#: More days than this are drawn as weeks.
MOST_DAYS: Final = 120
_FEW_DAYS: Final = 5


@dataclass(frozen=True)
class Step:
    """Days that are drawn as one; a week at an end may have fewer than seven."""

    days: tuple[Day, ...]

    @property
    def middle(self) -> float:
        """As matplotlib counts days."""
        return place(self.days[0]) + (self.width - 1) / 2

    @property
    def width(self) -> int:
        """In days, those that are not closed among them."""
        return (self.days[-1].day - self.days[0].day).days + 1

    def total(self, name: str) -> int:
        """The sum of one of the days' counts."""
        return sum(getattr(day, name) for day in self.days)


def place(day: Day) -> float:
    """Where a day lies on matplotlib's axis of dates."""
    from matplotlib.dates import date2num

    return float(date2num(day.day))


def unit(days: Sequence[Day]) -> str:
    """What one step is: a day or a week."""
    return "week" if len(days) > MOST_DAYS else "day"


def steps(days: Sequence[Day]) -> list[Step]:
    """The days in order, each alone or in weeks that begin on Monday."""
    if unit(days) == "day":
        return [Step((day,)) for day in days]
    weeks = groupby(days, key=lambda day: day.day - timedelta(days=day.day.weekday()))
    return [Step(tuple(week)) for _, week in weeks]


def stack(axes: Any, drawn: Sequence[Step], values: Sequence[int], below: list[int], **look: str) -> None:
    """Draw a bar for each step on top of ``below``, and raise that by it."""
    axes.bar([step.middle for step in drawn], values, [0.9 * step.width for step in drawn], list(below), **look)
    below[:] = [low + value for low, value in zip(below, values, strict=True)]


def over_days(axes: Any, days: Sequence[Day]) -> None:
    """Make the horizontal axis one of days, with room for a bar on each, or of weeks."""
    from matplotlib.dates import AutoDateLocator, DateFormatter

    axes.set(xlim=(place(days[0]) - 0.7, place(days[-1]) + 0.7), xlabel=unit(days))
    if len(days) <= _FEW_DAYS:
        axes.set_xticks([place(day) for day in days])
    else:
        axes.xaxis.set_major_locator(AutoDateLocator(minticks=3, maxticks=6))
    axes.xaxis.set_major_formatter(DateFormatter("%d %b" if unit(days) == "day" else "%b %Y"))
