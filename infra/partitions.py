"""Partitions are the shop's days: half-open spans of dates in the shop's own time zone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from infra.errors import SettingsError

_FIRST_YEAR, _LAST_YEAR = 1900, 9000


@dataclass(frozen=True, order=True)
class Span:
    """The days ``[start, end)``."""

    start: date
    end: date

    def __post_init__(self) -> None:
        if self.start.year < _FIRST_YEAR or self.end.year > _LAST_YEAR:
            raise SettingsError(f"No shop has the days {self.start} to {self.end}.", "Mend the year.")
        if self.end < self.start:
            raise SettingsError(f"The span {self.start} to {self.end} ends before it starts.", "Swap the two dates.")

    @classmethod
    def of_day(cls, day: date) -> Span:
        return cls(day, day + timedelta(days=1) if day < date.max else day)

    def days(self) -> Iterator[date]:
        for offset in range(len(self)):
            yield self.start + timedelta(days=offset)

    def __len__(self) -> int:
        return (self.end - self.start).days

    def __contains__(self, day: date) -> bool:
        return self.start <= day < self.end

    def __str__(self) -> str:
        return f"{self.start}..{self.end}"


def day_start(day: date, zone: ZoneInfo) -> datetime:
    """The moment, in UTC, at which the shop's ``day`` begins."""
    return datetime.combine(day, time.min, tzinfo=zone).astimezone(UTC)


def day_end(day: date, zone: ZoneInfo) -> datetime:
    """The moment, in UTC, at which the shop's ``day`` is over: T of its windows ``[T-w, T)``."""
    return day_start(day + timedelta(days=1), zone)


def require_over(span: Span, now: datetime, zone: ZoneInfo) -> None:
    """Hold that the days of ``span`` are over at the moment ``now``.

    Raises:
        SettingsError: they are not: what still happens on them would have no place.
    """
    if day_start(span.end, zone) > now:
        last = span.end - timedelta(days=1)
        raise SettingsError(
            f"The day {last} is not over: the shop's clock shows {now.astimezone(zone):%Y-%m-%d %H:%M}.",
            "Take only days that are over, or set the clock.",
        )


def day_of(moment: datetime, zone: ZoneInfo) -> date:
    """The shop's day that holds ``moment``."""
    return moment.astimezone(zone).date()
