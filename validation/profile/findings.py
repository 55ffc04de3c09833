"""What a profile says of a span of closed days, as data: the page shows it, ``--json`` prints it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from pydantic import BaseModel, ConfigDict

from features.events.manifest import Closed


class _Said(BaseModel):
    model_config = ConfigDict(frozen=True)


class Spread(_Said):
    """The values of one column in short. Each of the four is a value that occurs; ``rows`` have one."""

    what: str
    unit: str
    rows: int
    least: int
    median: int
    p99: int
    most: int


class Bins(_Said):
    """``counts[n]`` values lie in (edges[n - 1], edges[n]]; the last count is of those beyond the last edge."""

    edges: tuple[int, ...]
    counts: tuple[int, ...]


class Sessions(_Said):
    """Sessions of the span.

    ``named`` have a session_id of the source; ``cut`` are a user's rows without one, between two silences.
    ``left_out`` rows have neither session nor user. Lengths are microseconds from first to last row.
    """

    named: int
    cut: int
    left_out: int
    spreads: tuple[Spread, ...]
    by_events: Bins
    by_length: Bins


class Delivery(_Said):
    """One delivery's accounting, as its manifest has it; ``here`` of its rows lie in the span."""

    delivery_id: str
    source: str
    span: str
    bulk: bool
    files: tuple[str, ...]
    ignored_files: tuple[str, ...]
    rows_in: int
    accepted: int
    duplicate: int
    late: int
    early: int
    quarantined: int
    by_reason: Mapping[str, int]
    here: int


class Day(_Said):
    """One closed day, for the course of time.

    Rows count for the day on which they happened. Duplicates, and quarantined rows without a usable time,
    count for the day of their delivery; those of a delivery for several days count for none.
    ``new_users`` and ``new_items`` occur in no closed day before. ``judged``: the gate saw a delivery for it.
    """

    day: date
    closed: Closed
    reason: str
    rows: int = 0
    guests: int = 0
    new_users: int = 0
    new_items: int = 0
    quarantined: int = 0
    duplicate: int = 0
    late: int = 0
    judged: bool = False
    warnings: int = 0
    failures: int = 0

    @property
    def arrived(self) -> int:
        """Every row that arrived for the day, whatever became of it."""
        return self.rows + self.quarantined + self.duplicate


class Profile(_Said):
    """What the closed days from ``start`` up to ``end`` hold, and where every row of their deliveries went.

    ``course`` are the days for the course of time: those of the span, or the last ones up to its end where
    these are more. ``of_no_day`` are rows of their deliveries that count for none of them. ``digest`` is of
    the manifests of all deliveries with a file of a closed day before ``end``, and ``earlier_days`` are the
    closed days before ``start``. ``hours`` are rows by hour of the shop's day, ``mix`` by day and event type.
    """

    start: date
    end: date
    time_zone: str
    sources: tuple[str, ...]
    digest: str
    manifests: int
    earlier_days: int
    rows: int
    guests: int
    users: int
    items: int
    deliveries: tuple[Delivery, ...]
    hours: tuple[int, ...]
    mix: Mapping[date, Mapping[str, int]]
    sessions: Sessions
    dwell: Spread | None
    dwell_bins: Bins
    amounts: tuple[Spread, ...]
    course: tuple[Day, ...]
    of_no_day: Mapping[str, int]

    @property
    def days(self) -> tuple[Day, ...]:
        """The days of the span."""
        return tuple(day for day in self.course if self.start <= day.day)

    @property
    def name(self) -> str:
        """What the span is called: a day by its date, several by the first and the last."""
        last = self.days[-1].day
        return str(self.start) if last == self.start else f"{self.start} to {last}"

    @property
    def course_name(self) -> str:
        return f"{self.course[0].day} to {self.course[-1].day}"
