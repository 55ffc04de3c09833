"""Which days a run is for."""

from __future__ import annotations

from datetime import date
from typing import Any

from infra.errors import SettingsError
from infra.partitions import Span


def span_of_run(partition_key: str | None, params: dict[str, Any] | None) -> Span:
    """The day of a run: its partition key ``YYYY-MM-DD``, or the parameter ``day`` of a run by hand.

    Raises:
        SettingsError: the run has neither, or it is not a date.
    """
    named = partition_key or (params or {}).get("day") or ""
    try:
        return Span.of_day(date.fromisoformat(named))
    except ValueError as error:
        raise SettingsError(
            f"The run is for {named!r}, which is not a day.",
            "Give a run by hand the parameter day, such as 2010-12-09.",
        ) from error


def span_of_params(params: dict[str, Any] | None) -> Span:
    """The span ``[start, end)`` of a run's parameters.

    Raises:
        SettingsError: one of them is missing or not a date, or they are the wrong way round.
    """
    try:
        given = params or {}
        return Span(date.fromisoformat(given["start"]), date.fromisoformat(given["end"]))
    except (KeyError, TypeError, ValueError) as error:
        raise SettingsError(
            f"The run's parameters are {params}.", "Give start and end as YYYY-MM-DD; end is the day after the last."
        ) from error
