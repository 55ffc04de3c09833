"""A small shop with habits, and what was known at its moments by replaying its log."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from features.advance import advance
from features.decay import DAY_US
from features.events.schema import EVENT
from features.state import Live, UserState, from_row
from features.window_views import WINDOW_BEHAVIOURS, measures, user_count_columns, user_window_column
from infra.partitions import Span
from infra.settings import Settings, load_settings
from training.moments import Splits, start_us
from training.snapshot import Snapshot, write

FIRST = date(2010, 3, 1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Event = dict[str, Any]
Categories = Mapping[str, str]


@dataclass(frozen=True)
class Log:
    """Events in no order, the categories of their items, and the days that they cover."""

    events: list[Event]
    categories: dict[str, str]
    span: Span

    @cached_property
    def by_user(self) -> dict[str, list[tuple[int, Event]]]:
        """Each user's events with their times, microseconds since 1970 UTC."""
        found: dict[str, list[tuple[int, Event]]] = {}
        for event in self.events:
            found.setdefault(event["user_id"], []).append((us(event["occurred_at"]), event))
        return found

    @cached_property
    def touches(self) -> list[tuple[int, Event]]:
        """Events that item statistics count, with their times."""
        return [
            (us(event["occurred_at"]), event) for event in self.events if event["event_type"] in ("view", "purchase")
        ]


def habits(users: int, days: int, seed: int = 1, *, items: int = 24, categories: int = 4) -> Log:
    """Every user buys from one category, mostly what was bought before; everybody looks at anything."""
    random = np.random.default_rng(seed)
    named = {f"i{number:02}": f"c{number % categories}" for number in range(items)}
    events: list[Event] = []
    for user in range(users):
        own = [item for item, category in named.items() if category == f"c{user % categories}"]
        favourites = list(random.choice(own, 3, replace=False))
        for day in range(int(random.integers(5)), days, int(random.integers(3, 7))):
            for visit in range(int(random.integers(1, 3))):
                at = int(random.integers(DAY_US // 60_000_000)) * 60_000_000
                basket = {*random.choice(favourites, 2), random.choice(own)}
                session = f"s{user}-{day}-{visit}"
                rows = [("view", str(random.choice(list(named))), at - 60_000_000)]
                rows += [("purchase", str(item), at) for item in sorted(basket)]
                rows += [("return", str(favourites[0]), at + 1)] * int(random.random() < 0.1)
                rows += [("login", None, at)] * int(random.random() < 0.1)
                for kind, item, offset in rows:
                    events.append(_event(f"u{user:02}", item, kind, day, max(offset, 0), session, len(events)))
    return Log(events, named, Span(FIRST, FIRST + timedelta(days=days)))


def _event(user: str, item: str | None, kind: str, day: int, offset_us: int, session: str, number: int) -> Event:
    occurred = datetime(FIRST.year, FIRST.month, FIRST.day, tzinfo=UTC) + timedelta(days=day, microseconds=offset_us)
    blank: Event = dict.fromkeys(EVENT.names)
    return {
        **blank,
        "event_id": f"e{number:05}",
        "user_id": user,
        "item_id": item,
        "event_type": kind,
        "occurred_at": occurred,
        "source_position": number,
        "session_id": session,
        "dwell_ms": 1000 * (number % 90) if kind == "view" else None,
        "quantity": 1 + number % 3,
        "price": 100 + number % 7,
    }


def us(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)


def replay(settings: Settings, log: Log, user_id: str, moment_us: int) -> UserState:
    """The state by going through the whole log: the independent check of what a snapshot holds.

    Windows reach up to the last day whose end is at least the lag ago; events since then are today's.
    """
    lag = settings.history_lag_minutes * 60_000_000
    starts = [start_us(day, settings) for day in log.span.days()]
    # before the first day's end plus the lag nothing is known: all events are today's
    covered = max([starts[0], *(start for start in starts if start + lag <= moment_us)])
    own = [(at, event) for at, event in log.by_user[user_id] if at < moment_us]
    lengths = {name: getattr(settings, name) for name in ("sequence_length", "history_items", "session_minutes")}
    empty = from_row(user_id, {}, settings.window_days, settings.half_life_days)
    before = [_live(event, log.categories) for at, event in own if at < covered]
    today = [_live(event, log.categories) for at, event in own if at >= covered]
    base = advance(empty, before, covered, **lengths)
    return advance(replace(base, windows=_windows(settings, log, own, covered)), today, moment_us, **lengths)


def _live(event: Event, categories: Categories) -> Live:
    category = categories.get(event["item_id"] or "", "")
    at, place = us(event["occurred_at"]), event["source_position"]
    return Live(event["item_id"], category, event["event_type"], at, place, event["dwell_ms"] or 0, event["event_id"])


def _windows(settings: Settings, log: Log, own: list[tuple[int, Event]], end_us: int) -> dict[str, int]:
    counted = dict.fromkeys(user_count_columns(settings.window_days), 0)
    for behaviour in WINDOW_BEHAVIOURS:
        for days in settings.window_days:
            inside = [
                event for at, event in own if event["event_type"] == behaviour and end_us - days * DAY_US <= at < end_us
            ]
            values = {
                "count": len(inside),
                "items": len({event["item_id"] for event in inside}),
                "categories": len({log.categories[event["item_id"]] for event in inside}),
                "spend": sum(event["price"] * event["quantity"] for event in inside),
                "dwell": sum(event["dwell_ms"] or 0 for event in inside),
            }
            for measure in measures(behaviour):
                counted[user_window_column(behaviour, measure, days)] = values[measure]
    return counted


def baskets(log: Log) -> list[tuple[str, str, datetime, list[str]]]:
    """User, session, first purchase and items of every basket, in order of time."""
    found: dict[tuple[str, str], list[Event]] = {}
    for event in log.events:
        if event["event_type"] == "purchase":
            found.setdefault((event["user_id"], event["session_id"]), []).append(event)
    rows = [
        (user, session, min(row["occurred_at"] for row in rows), sorted({row["item_id"] for row in rows}))
        for (user, session), rows in found.items()
    ]
    return sorted(rows, key=lambda row: (row[2], row[0], row[1]))


def item_stats(settings: Settings, log: Log, day: date) -> dict[str, dict[str, int]]:
    """By item the windows that end where ``day`` begins, for items with anything in them."""
    end = start_us(day, settings)
    longest = end - max(settings.window_days) * DAY_US
    by_item: dict[str, list[tuple[int, str, str]]] = {}
    for at, event in log.touches:
        if longest <= at < end:
            entry = (at, event["event_type"], event["user_id"])
            by_item.setdefault(event["item_id"], []).append(entry)
    found: dict[str, dict[str, int]] = {}
    for item, entries in by_item.items():
        found[item] = {}
        for behaviour, types in (("interaction", ("view", "purchase")), ("purchase", ("purchase",))):
            for days in settings.window_days:
                inside = [user for at, kind, user in entries if kind in types and at >= end - days * DAY_US]
                found[item][f"item_{behaviour}_count_{days}d"] = len(inside)
                found[item][f"item_{behaviour}_users_{days}d"] = len(set(inside))
    return found


def replayed_snapshot(settings: Settings, log: Log) -> Snapshot:
    """A snapshot made without the feature store."""
    rows = baskets(log)
    days = [row[2].date() for row in rows]
    moments = pa.table(
        {
            "user_id": [row[0] for row in rows],
            "session_id": [row[1] for row in rows],
            "moment": pa.array([row[2] for row in rows], pa.timestamp("us", tz="UTC")),
            "day": pa.array(days, pa.date32()),
            "targets": [row[3] for row in rows],
        }
    )
    states = [replay(settings, log, row[0], us(row[2])) for row in rows]
    known = [
        {"day": day, "item_id": item, **counts}
        for day in sorted(set(days))
        for item, counts in item_stats(settings, log, day).items()
    ]
    splits = Splits.until(log.span.end - timedelta(days=1), log.span.start, settings)
    return write(settings, splits, moments, states, pa.Table.from_pylist(known), item_table(log))


def item_table(log: Log) -> pa.Table:
    rows = [
        {"item_id": item, "title": f"the {item}", "category": category, "price": 100}
        for item, category in log.categories.items()
    ]
    return pa.Table.from_pylist(rows)


@pytest.fixture(scope="session")
def replayed() -> Callable[[Settings, Log, str, int], UserState]:
    """``replay``: the state of a user at a moment, by going through the whole log."""
    return replay


@pytest.fixture(scope="session")
def habit_log() -> Callable[..., Log]:
    """``habits``: make a log."""
    return habits


@pytest.fixture(scope="session")
def snapshot_of() -> Callable[[Settings, Log], Snapshot]:
    """``replayed_snapshot``: a snapshot made without the feature store."""
    return replayed_snapshot


@pytest.fixture(scope="session")
def log() -> Log:
    """Forty users over sixty days."""
    return habits(40, 60)


@pytest.fixture(scope="session")
def snapshot(log: Log, tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    """The snapshot of ``log``, made by replay."""
    home: Path = tmp_path_factory.mktemp("replayed")
    return replayed_snapshot(load_settings(home, sequence_length=12), log)
