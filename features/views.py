"""What is known about users and items: every feature view, with its columns, as plain data.

The Feast objects, the tables that the engine writes, the lookup and the documentation are all made
from these definitions, so that a name exists once. Columns are unique over all views.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

import pyarrow as pa

from features.events.schema import ITEM_ID, USER_ID

SERVICE: Final = "interest_v1"

#: Every row says which moment it describes and since when it could be known.
EVENT_TIMESTAMP: Final = "event_timestamp"
CREATED_TIMESTAMP: Final = "created_timestamp"

USER_WINDOWS: Final = "user_windows"
USER_INTEREST: Final = "user_interest"
USER_SEQUENCE: Final = "user_sequence"
USER_ITEMS: Final = "user_items"
ITEM_WINDOWS: Final = "item_windows"

#: Behaviours with windows of their own; ``return`` counts what came back.
WINDOW_BEHAVIOURS: Final = ("impression", "view", "click", "cart", "favorite", "purchase", "return", "review")
#: Behaviours that say that the user wanted the item; ``interaction`` stands for any of them.
INTERACTIONS: Final = ("view", "click", "cart", "favorite", "purchase", "review")
#: Behaviours that the sequence keeps: those with an item that the user chose, not what was only shown.
SEQUENCED: Final = ("view", "click", "cart", "favorite", "purchase", "return", "review")
PAID: Final = ("purchase", "return")
WATCHED: Final = ("impression", "view", "click")

MONEY: Final = "minor units of the currency"
MILLISECONDS: Final = "milliseconds"
MICROSECONDS: Final = "microseconds since 1970 UTC"
#: Who answers for the features, where a view does not say otherwise.
OWNER: Final = "penchant"

Kind = Literal["int64", "float64", "list<string>", "list<int64>", "list<float64>"]

_MOMENT: Final = pa.timestamp("us", tz="UTC")
_ARROW: Final[dict[Kind, pa.DataType]] = {
    "int64": pa.int64(),
    "float64": pa.float64(),
    "list<string>": pa.list_(pa.string()),
    "list<int64>": pa.list_(pa.int64()),
    "list<float64>": pa.list_(pa.float64()),
}


@dataclass(frozen=True)
class Feature:
    """One column: its name, Arrow type, unit (of each value; texts have none) and what it means."""

    name: str
    kind: Kind
    unit: str
    description: str


@dataclass(frozen=True)
class View:
    """One feature view: an entity key, its columns, and how long a row holds.

    ``ttl_days`` is counted by the shop's clock from the row's moment; None: for ever. After it, or
    without a row, counts are zero and lists are empty.
    """

    name: str
    entity: str
    features: tuple[Feature, ...]
    ttl_days: int | None
    description: str
    owner: str = OWNER

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(feature.name for feature in self.features)

    @property
    def schema(self) -> pa.Schema:
        """The columns of its files: entity, features, ``event_timestamp``, ``created_timestamp``."""
        return pa.schema(
            [
                pa.field(self.entity, pa.string()),
                *(pa.field(feature.name, _ARROW[feature.kind]) for feature in self.features),
                pa.field(EVENT_TIMESTAMP, _MOMENT),
                pa.field(CREATED_TIMESTAMP, _MOMENT),
            ]
        )


def views(window_days: tuple[int, ...], half_life_days: tuple[int, ...]) -> tuple[View, ...]:
    """All views for these window lengths and half-lives (both in days)."""
    ttl = max(window_days) + 1
    return (
        View(
            USER_WINDOWS,
            USER_ID,
            tuple(_user_windows(window_days)),
            ttl,
            "What the user did in the windows [T-w, T), T the end of the last closed day.",
        ),
        View(
            USER_INTEREST,
            USER_ID,
            tuple(_interest(half_life_days)),
            None,
            "Decayed interest per category: sum of weight * 2^(-age / half-life), at the user's last event.",
        ),
        View(USER_SEQUENCE, USER_ID, _SEQUENCE, None, "The user's last events with an item, oldest first."),
        View(
            USER_ITEMS, USER_ID, _HISTORY, None, "Which items the user wanted, how often and how lately, latest first."
        ),
        View(
            ITEM_WINDOWS,
            ITEM_ID,
            tuple(_item_windows(window_days)),
            ttl,
            "What users (guests too) did with the item in the windows [T-w, T).",
        ),
    )


def interest_column(half_life: int) -> str:
    return f"interest_{half_life}d"


def user_window_column(behaviour: str, measure: str, days: int) -> str:
    return f"{behaviour}_{measure}_{days}d"


def item_window_column(behaviour: str, measure: str, days: int) -> str:
    return f"item_{behaviour}_{measure}_{days}d"


def measures(behaviour: str) -> tuple[str, ...]:
    """Which measures the user windows of ``behaviour`` have."""
    common = ("count", "items", "categories")
    return common + ("spend",) * (behaviour in PAID) + ("dwell",) * (behaviour in WATCHED)


#: Of each measure its unit and what it means.
_MEASURES: Final = {
    "count": ("events", "events of type {0}"),
    "items": ("items", "distinct items with events of type {0}"),
    "categories": ("categories", "distinct categories with events of type {0}"),
    "spend": (MONEY, "sum of price x quantity over events of type {0}"),
    "dwell": (MILLISECONDS, "sum of dwell time over events of type {0}"),
    "users": ("users", "distinct known users with events of type {0}"),
}


def _user_windows(window_days: tuple[int, ...]) -> Iterator[Feature]:
    for behaviour in WINDOW_BEHAVIOURS:
        for measure in measures(behaviour):
            for days in window_days:
                yield _window(user_window_column(behaviour, measure, days), behaviour, measure, days)


def _item_windows(window_days: tuple[int, ...]) -> Iterator[Feature]:
    for behaviour in (*WINDOW_BEHAVIOURS, "interaction"):
        for measure in ("count", "users"):
            for days in window_days:
                yield _window(item_window_column(behaviour, measure, days), behaviour, measure, days)


def _window(column: str, behaviour: str, measure: str, days: int) -> Feature:
    unit, meaning = _MEASURES[measure]
    return Feature(column, "int64", unit, f"{meaning.format(behaviour)}, last {days} days")


def _interest(half_life_days: tuple[int, ...]) -> Iterator[Feature]:
    yield Feature("interest_categories", "list<string>", "", "categories the user ever wanted, by name")
    for days in half_life_days:
        meaning = f"strength of each of these categories, half-life {days} days"
        yield Feature(interest_column(days), "list<float64>", "weighted events", meaning)
    yield Feature("interest_as_of_us", "int64", MICROSECONDS, "moment of the strengths")


_SEQUENCE: Final = (
    Feature("sequence_items", "list<string>", "", "item of each event"),
    Feature("sequence_categories", "list<string>", "", "category of each event's item, as it was then"),
    Feature("sequence_types", "list<string>", "", "event type of each event"),
    Feature("sequence_times_us", "list<int64>", MICROSECONDS, "moment of each event"),
    Feature("sequence_dwell_ms", "list<int64>", MILLISECONDS, "dwell time of each event, 0 when unknown"),
)

_HISTORY: Final = (
    Feature("history_items", "list<string>", "", "items with an interaction"),
    Feature("history_times", "list<int64>", "events", "interactions with each item"),
    Feature("history_purchases", "list<int64>", "events", "purchases of each item"),
    Feature("history_last_us", "list<int64>", MICROSECONDS, "moment of the last interaction with each item"),
)
