"""What a day is compared with: the shop's own last closed days, and the bands that they draw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from math import exp, log
from statistics import median
from typing import Any, Final, Literal

from features.events.rule import Rule
from features.events.schema import EVENT_TYPES
from infra.lake import read_json
from infra.settings import Settings

#: Fewer past days than this say nothing about the next.
ENOUGH_DAYS: Final = 7

# Four robust deviations on either side of the median
_DEVIATIONS: Final = 4 * 1.4826
#: How much wider a band is on a day that is not like others.
_WIDER: Final = 2.0


@dataclass(frozen=True)
class Figure:
    """One number a day, and how it is compared.

    Args:
        scale: amounts are compared by their ratio; shares lie between 0 and 1; minutes are what they are.
        least: half of the narrowest band: a share, minutes, or the logarithm of a ratio.
        upwards: only more than usual is worth a warning.
    """

    name: str
    scale: Literal["amount", "share", "minutes"]
    least: float
    upwards: bool = False

    def band(self, values: Sequence[float], widened: float) -> tuple[float | None, float]:
        """The lowest and the highest value that is like the past ``values``."""
        known = [log(value) for value in values] if self.scale == "amount" else list(values)
        middle = median(known)
        half = widened * max(_DEVIATIONS * median(abs(value - middle) for value in known), self.least)
        low, high = middle - half, middle + half
        if self.scale == "amount":
            low, high = exp(low), exp(high)
        elif self.scale == "share":
            low, high = max(low, 0.0), min(high, 1.0)
        return None if self.upwards else round(low, 6), round(high, 6)


def share_of(kind: str) -> str:
    """The figure that is the share of an event type."""
    return f"{kind}_share"


FIGURES: Final = (
    Figure("row_count", "amount", log(2)),
    Figure("price_median", "amount", log(2)),
    Figure("guest_share", "share", 0.1),
    Figure("new_item_share", "share", 0.1, upwards=True),
    Figure("idle_minutes", "minutes", 120.0, upwards=True),
    *(Figure(share_of(kind), "share", 0.1) for kind in EVENT_TYPES),
)


def past_days(settings: Settings, source: str, before: date) -> list[Mapping[str, float]]:
    """Figures of the last ``gate_history_days`` closed days on which ``source`` had rows, latest first."""
    wanted = settings.gate_history_days
    days = [day for day in settings.lake.closed_days() if day < before]
    found: list[Mapping[str, float]] = []
    for day in reversed(days[-4 * wanted :]):
        of_source = read_json(settings.lake.partition(day))["by_source"].get(source)
        if of_source and len(found) < wanted:
            found.append(figures(of_source))
    return found


def figures(day: Mapping[str, Any]) -> dict[str, float]:
    """The figures of a source's day as its partition holds it; what it does not hold, or never had, is left out."""
    rows, items = day["rows"], day.get("items")
    found = {"row_count": rows, "price_median": day.get("price"), "idle_minutes": day.get("idle_minutes")}
    found["guest_share"] = day["guests"] / rows if rows else None
    found["new_item_share"] = day["new_items"] / items if items else None
    found |= {share_of(kind): day["mix"].get(kind, 0) / rows if rows else None for kind in EVENT_TYPES}
    # an amount of nothing has no ratio to another
    return {name: value for name, value in found.items() if value is not None and (value > 0 or name not in _AMOUNTS)}


_AMOUNTS: Final = tuple(figure.name for figure in FIGURES if figure.scale == "amount")


def history_rules(past: Sequence[Mapping[str, float]], now: Mapping[str, float], unlike: str) -> tuple[Rule, ...]:
    """A band for each figure of ``now`` that enough past days have, all warnings.

    Event types that neither past nor present know are left out.

    Args:
        unlike: why the day is not like others, which widens the bands; empty: it is.
    """
    rules = []
    for figure in FIGURES:
        values = [day[figure.name] for day in past if figure.name in day]
        if figure.name in now and len(values) >= ENOUGH_DAYS and (any(values) or now[figure.name]):
            low, high = figure.band(values, _WIDER if unlike else 1.0)
            arguments = {"column": figure.name, "min_value": low, "max_value": high}
            rules.append(Rule(figure.name, "warning", "ExpectColumnMaxToBeBetween", arguments))
    return tuple(rules)
