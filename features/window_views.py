"""What the windows of users and items hold: counts by behaviour and window, and what follows from them.

A feature that follows from others of its row is one more entry here, with its expression: the engine, Feast, the
training set, the online store and the documentation take it from here.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, Final

from features.day_counts import DAY_COUNTS
from features.events.schema import CATEGORY, ITEM_ID, USER_ID
from features.view import MICROSECONDS, MILLISECONDS, MONEY, Feature, View

USER_WINDOWS: Final = "user_windows"
ITEM_WINDOWS: Final = "item_windows"
CATEGORY_WINDOWS: Final = "category_windows"
SEGMENT_WINDOWS: Final = "segment_windows"

#: Users who have something in common, ``country=Norway``.
SEGMENT: Final = "segment"

#: Behaviours with windows of their own; ``return`` counts what came back.
WINDOW_BEHAVIOURS: Final = ("impression", "view", "click", "cart", "favorite", "purchase", "return", "review")
#: Behaviours that say that the user wanted the item; ``interaction`` stands for any of them.
INTERACTIONS: Final = ("view", "click", "cart", "favorite", "purchase", "review")
INTERACTION: Final = "interaction"
ITEM_BEHAVIOURS: Final = (*WINDOW_BEHAVIOURS, INTERACTION)
PAID: Final = ("purchase", "return")
WATCHED: Final = ("impression", "view", "click")

#: A trend compares the last of these numbers of days with the days before them up to the second.
TREND_DAYS: Final = (7, 35)

RATE: Final = "events per event"
#: Of each rate what is counted, and per what.
RATES: Final = {"click": ("click", "impression"), "cart": ("cart", "view"), "purchase": ("purchase", "cart")}

#: Of each measure its unit and what it means.
_MEASURES: Final = {
    "count": ("events", "events of type {0}"),
    "items": ("items", "distinct items with events of type {0}"),
    "categories": ("categories", "distinct categories with events of type {0}"),
    "spend": (MONEY, "sum of price x quantity over events of type {0}"),
    "dwell": (MILLISECONDS, "sum of dwell time over events of type {0}"),
    "users": ("users", "distinct known users with events of type {0}"),
}


def horizon_days(window_days: tuple[int, ...]) -> int:
    """How many days back anything in a window's row reaches."""
    return max(*window_days, *TREND_DAYS)


def user_windows_view(window_days: tuple[int, ...]) -> View:
    """What a user did, for these window lengths in days."""
    features = (
        *_user_counts(window_days),
        *(_rate(f"{name}_rate_{days}d", *pair, days) for name, pair in RATES.items() for days in window_days),
        *(_trend(f"{behaviour}_trend", behaviour) for behaviour in WINDOW_BEHAVIOURS),
        *(_last(f"{behaviour}_last_us", behaviour, window_days) for behaviour in WINDOW_BEHAVIOURS),
        *(_days(f"active_days_{days}d", "days", "days with an event of any type", days) for days in window_days),
        *(_days(f"{one.name}_{days}d", one.unit, one.description, days) for one in DAY_COUNTS for days in window_days),
    )
    described = "What the user did in the windows [T-w, T), T the end of the last closed day."
    return View(USER_WINDOWS, USER_ID, features, horizon_days(window_days) + 1, described)


def item_windows_view(window_days: tuple[int, ...]) -> View:
    """What users did with an item, for these window lengths in days."""
    longest = max(window_days, default=0)
    features = (
        *_of_all("item", window_days),
        Feature("item_price", "int64", MONEY, "price at T, 0 when nobody said one"),
        Feature(
            "item_price_change", "float64", "share", f"price at T by that {longest} days before, less 1; 0 without both"
        ),
        Feature(
            "item_first_us",
            "int64",
            MICROSECONDS,
            "moment from which the item is described, 0 if that is after T or nobody described it",
        ),
    )
    described = "What users (guests too) did with the item in the windows [T-w, T)."
    return View(ITEM_WINDOWS, ITEM_ID, features, horizon_days(window_days) + 1, described)


def category_windows_view(window_days: tuple[int, ...]) -> View:
    """What users did with the items of a category, for these window lengths in days."""
    described = "What users (guests too) did with the items of the category in the windows [T-w, T)."
    features = tuple(_of_all("category", window_days))
    return View(CATEGORY_WINDOWS, CATEGORY, features, horizon_days(window_days) + 1, described)


def segment_windows_view(window_days: tuple[int, ...]) -> View:
    """What the users of a segment did, for these window lengths in days."""
    described = "What users (guests too) of a country, campaign or source did in the windows [T-w, T)."
    features = tuple(_of_all("segment", window_days))
    return View(SEGMENT_WINDOWS, SEGMENT, features, horizon_days(window_days) + 1, described)


def measures(behaviour: str) -> tuple[str, ...]:
    """Which measures the user windows of ``behaviour`` have."""
    common = ("count", "items", "categories")
    return common + ("spend",) * (behaviour in PAID) + ("dwell",) * (behaviour in WATCHED)


def user_window_column(behaviour: str, measure: str, days: int) -> str:
    return f"{behaviour}_{measure}_{days}d"


def item_window_column(behaviour: str, measure: str, days: int) -> str:
    return f"item_{behaviour}_{measure}_{days}d"


@cache
def user_window_columns(window_days: tuple[int, ...]) -> tuple[str, ...]:
    """The columns of the user windows."""
    return user_windows_view(window_days).columns


@cache
def user_count_columns(window_days: tuple[int, ...]) -> tuple[str, ...]:
    """The counted columns of the user windows: those that the models read."""
    return tuple(feature.name for feature in _user_counts(window_days))


def _user_counts(window_days: tuple[int, ...]) -> Iterator[Feature]:
    for behaviour in WINDOW_BEHAVIOURS:
        for measure in measures(behaviour):
            for days in window_days:
                yield _counted(user_window_column(behaviour, measure, days), behaviour, measure, days)


def _of_all(entity: str, window_days: tuple[int, ...]) -> Iterator[Feature]:
    """What all users did with an item or a category."""
    for behaviour in ITEM_BEHAVIOURS:
        for measure in ("count", "users"):
            for days in window_days:
                yield _counted(f"{entity}_{user_window_column(behaviour, measure, days)}", behaviour, measure, days)
    yield from (_rate(f"{entity}_conversion_{days}d", "purchase", "view", days, f"{entity}_") for days in window_days)
    yield _trend(f"{entity}_trend", INTERACTION, f"{entity}_")


def _counted(column: str, behaviour: str, measure: str, days: int) -> Feature:
    unit, meaning = _MEASURES[measure]
    return _days(column, unit, meaning.format(behaviour), days)


def _days(column: str, unit: str, meaning: str, days: int) -> Feature:
    return Feature(column, "int64", unit, f"{meaning}, last {days} days")


def _rate(column: str, counted: str, per: str, days: int, prefix: str = "") -> Feature:
    def expression(row: Any) -> Any:
        above, below = (row[f"{prefix}{behaviour}_count_{days}d"] for behaviour in (counted, per))
        return (below > 0).ifelse(above / below, 0.0)

    meaning = f"events of type {counted} per event of type {per} (0 without any), last {days} days"
    return Feature(column, "float64", RATE, meaning, expression)


def _trend(column: str, behaviour: str, prefix: str = "") -> Feature:
    recent, whole = TREND_DAYS

    def expression(row: Any) -> Any:
        now = row[f"{prefix}{behaviour}_count_{recent}d"]
        usual = (row[f"{prefix}{behaviour}_count_{whole}d"] - now) * (recent / (whole - recent))
        return (now + usual > 0).ifelse((now - usual) / (now + usual), 0.0)

    meaning = (
        f"(a - b) / (a + b) of events of type {behaviour}: a in the last {recent} days, b in as many of the "
        f"{whole - recent} days before on average; 1 is new, -1 fell silent"
    )
    return Feature(column, "float64", "share", meaning, expression)


def _last(column: str, behaviour: str, window_days: tuple[int, ...]) -> Feature:
    horizon = horizon_days(window_days)

    def expression(row: Any) -> Any:
        return (row[f"{behaviour}_count_{horizon}d"] > 0).ifelse(row[f"{behaviour}_latest"], 0)

    meaning = f"moment of the last event of type {behaviour} within the last {horizon} days, 0 without one"
    return Feature(column, "int64", MICROSECONDS, meaning, expression)
