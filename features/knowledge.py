"""What was known when: since when days are closed, and what was told about them later.

A row of day D is first known when D and every day before it are closed. What comes after a day was closed is
late: rows that it changes are written again, known from then on, and the rows that were known before stay
(``features.versions``). So what was known at any moment follows from the events alone, in whatever order, and
however often, features are built.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from itertools import pairwise

from features.identities import LOGIN
from infra.lake import read_json
from infra.moments import microseconds
from infra.partitions import Span, day_end
from infra.settings import Settings


@dataclass(frozen=True)
class Pass:
    """One way through the days: their rows, from what was known at a moment.

    Attributes:
        span: the days whose rows are computed.
        as_of_us: what was known by then counts, microseconds since 1970 UTC; None: all that is known.
        late_us: when the late delivery came that this way is for. Rows of days that were known before are
            revisions, those of other days are first ones. None: nothing was late.
    """

    span: Span
    as_of_us: int | None = None
    late_us: int | None = None


class Knowledge:
    """Since when closed days, and what was told of them later, are known.

    Moments are microseconds since 1970 UTC.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._markers = {day: read_json(settings.lake.partition(day)) for day in settings.lake.closed_days()}

    @cached_property
    def closed(self) -> dict[date, int]:
        """Since when each closed day and all before it are; never before the day's own end."""
        latest, found = 0, {}
        for day, marker in self._markers.items():
            # a partition of before this was noted is known since its latest row
            own = told_at(marker.get("closed_at", marker["known_at"]))
            latest = found[day] = max(latest, own, microseconds(day_end(day, self._settings.zone)))
        return found

    def late(self, day: date) -> list[int]:
        """When something came that is about a closed day, after it was known; empty of a day that is not closed.

        With ``tie_backwards`` also when the logins of the day after came: they name guests of the day.
        """
        if day not in self._markers:
            return []
        told, after = self._told(day), day + timedelta(days=1)
        if self._settings.tie_backwards and self._markers.get(after, {}).get("mix", {}).get(LOGIN):
            told = [*told, self.closed[after], *self._told(after)]
        return sorted({moment for moment in told if moment > self.closed[day]})

    def passes(self, span: Span, since_us: int | None = None) -> list[Pass]:
        """The ways through ``span`` that write all versions of its rows, in the order in which they became known.

        Args:
            since_us: only versions that are known from this moment on; None: all.
        """
        first = self._first_days(span)
        moments: list[int | None] = [None, *sorted(first), None]
        found = [self._pass(span, late, after, first) for late, after in pairwise(moments)]
        if since_us is not None:
            found = [_later(self.closed, one, since_us) for one in found if one is not None]
        return [one for one in found if one is not None]

    def _told(self, day: date) -> list[int]:
        return [told_at(entry["at"]) for entry in self._markers[day].get("known", [])]

    def _first_days(self, span: Span) -> dict[int, date]:
        """By moment at which something came late that can change rows of ``span``: the first day that it changes."""
        found: dict[int, date] = {}
        for day in (day for day in self._markers if day < span.end):
            for moment in self.late(day):
                if moment > self.closed[span.start]:
                    found.setdefault(moment, max(day, span.start))
        return found

    def _pass(self, span: Span, late: int | None, after: int | None, first: Mapping[int, date]) -> Pass | None:
        """What became known from ``late`` on and before ``after``: revised days, then days known by then."""
        known = [day for day in span.days() if after is None or self.closed[day] < after]
        changed = [day for day in known if late is None or self.closed[day] >= late or day >= first[late]]
        if not changed:
            return None
        covered = Span(changed[0], changed[-1] + timedelta(days=1))
        return Pass(covered, None if after is None else after - 1, late)


def _later(closed: Mapping[date, int], one: Pass, since_us: int) -> Pass | None:
    """What of a pass is known only from ``since_us`` on."""
    if one.late_us is not None and one.late_us >= since_us:
        return one
    days = [day for day in one.span.days() if closed[day] >= since_us]
    return Pass(Span(days[0], one.span.end), one.as_of_us, one.late_us) if days else None


def told_at(moment: str) -> int:
    """Microseconds since 1970 UTC of a moment in a partition, ISO 8601."""
    return microseconds(datetime.fromisoformat(moment))
