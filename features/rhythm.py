"""The rhythm of a user's visits to an item: how many there were, and mean and spread of the times between them.

The times are counted in whole minutes, so that all sums are integers; these follow from mean and spread again, exactly
(``sums``), so that a row is all that has to be carried. ``spread = sqrt(n * sum of squares - sum^2) / n``, the standard
deviation over n times.
"""

from __future__ import annotations

from math import sqrt
from typing import Final, NamedTuple

from features.decay import DAY_US, MINUTE_US

#: A visit begins with an interaction at least so long after the user's last one with the item.
VISIT_US: Final = DAY_US // 2
DAY_MINUTES: Final = DAY_US // MINUTE_US


class Rhythm(NamedTuple):
    """Visits, and mean and standard deviation of the days between them; both are zero before the second visit."""

    visits: int = 0
    gap_days: float = 0.0
    gap_spread_days: float = 0.0

    def after(self, pause_us: int | None) -> Rhythm:
        """The rhythm with one interaction more, ``pause_us`` after the last one; None: it is the first."""
        if pause_us is None:
            return Rhythm(visits=1)
        if pause_us < VISIT_US:
            return self
        minutes, squares = self.sums()
        gap = pause_us // MINUTE_US
        return rhythm(self.visits + 1, minutes + gap, squares + gap * gap)

    def sums(self) -> tuple[int, int]:
        """Sum and sum of squares of the minutes between visits."""
        count = self.visits - 1
        if count < 1:
            return 0, 0
        minutes = round(self.gap_days * (DAY_MINUTES * count))
        deviation = self.gap_spread_days * (DAY_MINUTES * count)
        return minutes, round((deviation * deviation + float(minutes * minutes)) / count)


def rhythm(visits: int, minutes: int, squares: int) -> Rhythm:
    """The rhythm of ``visits`` with these sums of the minutes between them."""
    days = DAY_MINUTES * max(visits - 1, 1)
    return Rhythm(visits, minutes / days, sqrt((visits - 1) * squares - minutes * minutes) / days)
