"""Days on the command line: ``DAY``, or ``START..END`` up to before END."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from infra.partitions import Span

METAVAR: Final = "DAY|START..END"


def span_of(days: str) -> Span:
    """The days that were named.

    Raises:
        SettingsError: they are none.
    """
    from datetime import date

    from infra.errors import SettingsError
    from infra.partitions import Span

    start, between, end = days.partition("..")
    try:
        first = date.fromisoformat(start)
        return Span(first, date.fromisoformat(end)) if between else Span.of_day(first)
    except ValueError as error:
        raise SettingsError(
            f"{days!r} is neither a day nor a span.",
            "Write a day as 2010-12-09, several as 2010-12-01..2010-12-10; the end is the day after the last.",
        ) from error
