"""What is known about users and items: every feature view, with its columns, as plain data.

The Feast objects, the tables that the engine writes, the lookup and the documentation are all made
from these definitions, so that a name exists once. Columns are unique over all views.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from features.events.schema import ITEM_ID, USER_ID
from features.view import MICROSECONDS, MILLISECONDS, Feature, View
from features.window_views import category_windows_view, item_windows_view, segment_windows_view, user_windows_view
from infra.settings import Settings

SERVICE: Final = "interest_v1"

USER_INTEREST: Final = "user_interest"
USER_SEQUENCE: Final = "user_sequence"
USER_ITEMS: Final = "user_items"
ITEM_COVISITS: Final = "item_covisits"
#: Views whose rows go on from the row before, however old it is (``features.chain``).
CHAINED: Final = (USER_INTEREST, USER_SEQUENCE, USER_ITEMS)

#: Categories in a profile F = (C, S).
PROFILE_CATEGORIES: Final = 20
#: Items beside an item in its row, and in how many baskets of the window both must be.
COVISITED: Final = 20
COVISITED_AT_LEAST: Final = 2
#: Behaviours that the sequence keeps: those with an item that the user chose, not what was only shown.
SEQUENCED: Final = ("view", "click", "cart", "favorite", "purchase", "return", "review")


def views(
    window_days: tuple[int, ...], half_life_days: tuple[int, ...], user_days: int | None = None
) -> tuple[View, ...]:
    """All views for these window lengths and half-lives (both in days).

    Args:
        user_days: how many days the rows of ``CHAINED`` hold; None: for ever.
    """
    return (
        user_windows_view(window_days),
        View(
            USER_INTEREST,
            USER_ID,
            tuple(_interest(half_life_days)),
            user_days,
            "Decayed interest per category: sum of weight * 2^(-age / half-life), at the user's last event.",
        ),
        View(USER_SEQUENCE, USER_ID, _SEQUENCE, user_days, "The user's last events with an item, oldest first."),
        View(
            USER_ITEMS,
            USER_ID,
            _HISTORY,
            user_days,
            "Which items the user wanted, how often and how lately, latest first.",
        ),
        item_windows_view(window_days),
        View(
            ITEM_COVISITS,
            ITEM_ID,
            tuple(_covisits(max(window_days, default=0))),
            max(window_days, default=0) + 1,
            "Which items were wanted together with the item, most often first.",
        ),
        category_windows_view(window_days),
        segment_windows_view(window_days),
    )


def views_of(settings: Settings) -> tuple[View, ...]:
    """The feature views with the lengths, half-lives and lifetimes of the settings."""
    return views(settings.window_days, settings.half_life_days, settings.online_user_days or None)


def interest_column(half_life: int) -> str:
    return f"interest_{half_life}d"


def profile_column(of: str, half_life: int) -> str:
    """``of``: categories, or shares."""
    return f"profile_{of}_{half_life}d"


def covisit_column(kind: str, of: str) -> str:
    """``kind``: session or day; ``of``: items, counts or lifts."""
    return f"{kind}_covisit_{of}"


def _covisits(days: int) -> Iterator[Feature]:
    for kind, basket in (("session", "sessions"), ("day", "days of a user")):
        told = f"the {COVISITED} items most often beside it in {basket}, at least {COVISITED_AT_LEAST} times"
        yield Feature(covisit_column(kind, "items"), "list<string>", "", f"{told}, last {days} days")
        yield Feature(covisit_column(kind, "counts"), "list<int64>", basket, f"{basket} with both, last {days} days")
        lift = "how many times as often as by chance both are in one, when the item was last in one or left the window"
        # each late basket changes a little how many there are, and so all lifts of a month
        yield Feature(covisit_column(kind, "lifts"), "list<float64>", "ratio", lift, agree=0.01)


def _interest(half_life_days: tuple[int, ...]) -> Iterator[Feature]:
    yield Feature("interest_categories", "list<string>", "", "categories the user ever wanted, by name")
    for days in half_life_days:
        meaning = f"strength of each of these categories, half-life {days} days"
        yield Feature(interest_column(days), "list<float64>", "weighted events", meaning)
    yield Feature("interest_first_us", "list<int64>", MICROSECONDS, "moment at which each was wanted first")
    yield Feature("interest_last_us", "list<int64>", MICROSECONDS, "moment at which each was wanted last")
    yield Feature("interest_as_of_us", "int64", MICROSECONDS, "moment of the strengths")
    top = f"the {PROFILE_CATEGORIES} strongest categories, strongest first"
    for days in half_life_days:
        yield Feature(profile_column("categories", days), "list<string>", "", f"{top}, half-life {days} days")
    for days in half_life_days:
        meaning = f"share of each in their strength, half-life {days} days: they sum to 1"
        yield Feature(profile_column("shares", days), "list<float64>", "share", meaning)


_SEQUENCE: Final = (
    Feature("sequence_items", "list<string>", "", "item of each event"),
    Feature("sequence_categories", "list<string>", "", "category of each event's item, as it was then"),
    Feature("sequence_types", "list<string>", "", "event type of each event"),
    Feature("sequence_times_us", "list<int64>", MICROSECONDS, "moment of each event"),
    Feature("sequence_dwell_ms", "list<int64>", MILLISECONDS, "dwell time of each event, 0 when unknown"),
    Feature("sequence_gaps_us", "list<int64>", "microseconds", "time since the event before, 0 for the first of all"),
    Feature("sequence_session_starts", "list<int64>", "", "1 if a pause of session_minutes was before, or nothing"),
)

_HISTORY: Final = (
    Feature("history_items", "list<string>", "", "items with an interaction"),
    Feature("history_times", "list<int64>", "events", "interactions with each item"),
    Feature("history_purchases", "list<int64>", "events", "purchases of each item"),
    Feature("history_last_us", "list<int64>", MICROSECONDS, "moment of the last interaction with each item"),
    Feature("history_visits", "list<int64>", "visits", "visits to each item: interactions half a day or more apart"),
    Feature(
        "history_gap_days", "list<float64>", "days", "mean time between visits to each item, in whole minutes; 0: one"
    ),
    Feature("history_gap_spread_days", "list<float64>", "days", "standard deviation of these times, over all of them"),
)
