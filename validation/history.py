"""What a partition is compared with: volume and mix of the shop's own last closed days."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from math import exp, log
from statistics import median
from typing import Any, Final

from features.events.schema import EVENT_TYPES
from infra.lake import read_json
from infra.settings import Settings
from validation.rules import Rule

#: Fewer past days than this say nothing about the next.
ENOUGH_DAYS: Final = 7
ROW_COUNT: Final = "row_count"
GUEST_SHARE: Final = "guest_share"

# Four robust deviations; and never closer than half to double the rows, or a tenth of the rows.
_DEVIATIONS: Final = 4 * 1.4826
_LEAST_FACTOR: Final = log(2)
_LEAST_SHARE: Final = 0.1


def past_days(settings: Settings, source: str, before: date) -> list[Mapping[str, Any]]:
    """What ``source`` brought on the last ``gate_history_days`` closed days that had rows of it, latest first."""
    wanted = settings.gate_history_days
    days = [day for day in settings.lake.closed_days() if day < before]
    found: list[Mapping[str, Any]] = []
    for day in reversed(days[-4 * wanted :]):
        of_source = read_json(settings.lake.partition(day))["by_source"].get(source)
        if of_source and len(found) < wanted:
            found.append(of_source)
    return found


def figures(rows: int, guests: int, mix: Mapping[str, int]) -> dict[str, float]:
    """The figures that are compared: rows, share of guests, share of each event type.

    Shares of a day without rows are left out.
    """
    shares = {share_of(kind): mix.get(kind, 0) / rows for kind in EVENT_TYPES} if rows else {}
    return {ROW_COUNT: rows, **({GUEST_SHARE: guests / rows} if rows else {}), **shares}


def share_of(kind: str) -> str:
    return f"{kind}_share"


def history_rules(past: Sequence[Mapping[str, Any]], now: Mapping[str, float]) -> list[Rule]:
    """A band for each figure, all warnings; types that neither past nor present know are left out."""
    days = [figures(day["rows"], day["guests"], day["mix"]) for day in past]
    rules = []
    for name in now:
        values = [day[name] for day in days]
        if name == ROW_COUNT or any(values) or now[name]:
            low, high = _volume(values) if name == ROW_COUNT else _share(values)
            arguments = {"column": name, "min_value": low, "max_value": high}
            rules.append(Rule(name, "warning", "ExpectColumnValuesToBeBetween", arguments))
    return rules


def _volume(values: Sequence[float]) -> tuple[float, float]:
    logs = [log(value) for value in values]
    middle = median(logs)
    half = max(_DEVIATIONS * _deviation(logs), _LEAST_FACTOR)
    return round(exp(middle - half), 3), round(exp(middle + half), 3)


def _share(values: Sequence[float]) -> tuple[float, float]:
    middle = median(values)
    half = max(_DEVIATIONS * _deviation(values), _LEAST_SHARE)
    return round(max(middle - half, 0.0), 6), round(min(middle + half, 1.0), 6)


def _deviation(values: Sequence[float]) -> float:
    """Median absolute deviation."""
    middle = median(values)
    return median(abs(value - middle) for value in values)
