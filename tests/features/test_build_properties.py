"""Every view of a random log equals what a person would count by hand."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from features.advance import advance
from features.build import build
from features.events.schema import EVENT_TYPES, WITHOUT_ITEM
from features.state import Live, UserState, from_row
from features.views import SEQUENCED, USER_INTEREST, views_of
from features.window_views import INTERACTIONS, RATES, TREND_DAYS, WINDOW_BEHAVIOURS, measures
from infra.lake import DAILY
from infra.partitions import Span, day_end, day_of, day_start
from infra.settings import Settings

pytestmark = pytest.mark.thorough

# the fourth day is a 29 February, and one of 25 hours; 28 days after the first start British summer time begins
STARTS = (date(2012, 2, 26), date(2010, 10, 28))
#: Few days on which anything happens, and so many that some of it leaves trends, and what is known of last moments.
LENGTH, ACTIVE = 44, (0, 1, 2, 3, 5, 9, 28, 37, 40)
#: Of each item what it was told to be: from the twelfth hour of which day on (None: always), category and price.
TOLD: dict[str, list[tuple[int | None, str, int]]] = {
    "i1": [(None, "mug", 100), (2, "jug", 150)],  # another category and price in a window
    "i2": [(None, "mug", 100), (20, "bowl", 100)],
    "i3": [(None, "lamp", 100), (12, "lamp", 50)],  # another price while nothing happens
    "i4": [(None, "Ödland", 100)],
    "i5": [(None, "mug", 100), (4, "mug", 110)],  # nobody ever does anything with it
}
OVERRIDES = {
    "timezone": "Europe/London",
    "window_days": (1, 3),
    "half_life_days": (1, 7),
    "sequence_length": 3,
    "history_items": 2,
    "session_minutes": 60,
    "segments": ("country", "campaign", "source"),
}
# making a failing log smaller would take longer than reading it
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
# a log follows from its seed; 0 would be every run's first one
SEEDS = st.integers(0, 2**32).filter(bool)
HOUR = 3_600_000_000
# pauses of an hour, of one less a microsecond and of one more; noon; the last hour of a day of 23
OFFSETS = (0, 1, HOUR, HOUR + 1, HOUR + HOUR // 2, HOUR + HOUR // 2 + 1, 12 * HOUR, 22 * HOUR + 59)
AFTER_24_HOURS = 24 * HOUR + 1
#: Ties, gaps, guests, bots, returns, searches, dwell times, missing prices.
FIELDS: dict[str, tuple[Any, ...]] = {
    "user_id": ("u1", "u2", "ü3", "u4", "u5", None),
    "item_id": ("i1", "i2", "i3", "i4", "i9"),
    "event_type": (*EVENT_TYPES, "purchase", "view", "view"),
    "source_position": (0, 1),
    "source": ("shop", "app"),
    "country": (None, "Norway", "Österreich"),
    "campaign": (None, "spring"),
    "is_bot": (False, False, False, True),
    "dwell_ms": (None, 0, 30_000, 60_000, 61_000, 600_000, 10**7),
    "quantity": (None, 1, 3),
    "price": (None, 0, 250),
}
#: Somebody who spends as much as rules allow, ten times, and then a little: more than doubles can tell apart.
RICH = {"user_id": "u6", "event_type": "purchase", "source_position": 0, "source": "shop", "is_bot": False}
PURCHASES = [*((0, item, 10**9, 10**6) for item in ("i1", "i2") * 5), (2, "i1", 1, 1)]


def happened(settings: Settings, start: date, chance: Random, event_of: Callable[..., Any]) -> list[dict[str, Any]]:
    """A log without order: of the span's active days, and of somebody rich."""
    rows = [(chance.choice(ACTIVE), {name: chance.choice(of) for name, of in FIELDS.items()}) for _row in range(180)]
    rows += [(day, {**RICH, "item_id": item, "price": price, "quantity": of}) for day, item, price, of in PURCHASES]
    events = []
    for number, (place, fields) in enumerate(rows):
        day = start + timedelta(days=place)
        long = day_end(day, settings.zone) - day_start(day, settings.zone) > timedelta(days=1)
        offset = chance.choice((*OFFSETS, *(AFTER_24_HOURS,) * 3 * long))
        item = None if fields["event_type"] in WITHOUT_ITEM else fields["item_id"]
        session = "s1" if fields["user_id"] is None else None
        # ids that do not follow the order of the list: they break ties
        named = {"event_id": f"e{(number * 7919) % 1009:04}", "session_id": session, "item_id": item}
        event = event_of(settings, day, offset, **{**fields, **named})
        category, _price = as_it_was(item, start, event["occurred_at"], settings)
        events.append({**event, "category": category})
    return events


def told_at(start: date, place: int, settings: Settings) -> datetime:
    return day_start(start + timedelta(days=place), settings.zone) + timedelta(hours=12)


def as_it_was(item: str | None, start: date, moment: datetime, settings: Settings) -> tuple[str, int]:
    """Category and price of an item at a moment; neither if nobody described it."""
    told = TOLD.get(item or "", [])
    held = [(name, price) for place, name, price in told if place is None or told_at(start, place, settings) <= moment]
    return held[-1] if held else ("", 0)


def published(shop: Any, span: Span, events: list[dict[str, Any]]) -> Any:
    for item, versions in TOLD.items():
        for number, (place, category, price) in enumerate(versions):
            moment = {} if place is None else {"moment": told_at(span.start, place, shop.settings)}
            shop.items({item: category}, f"{item}-{number}", place is None, **moment, price=price)
    shop.publish(span, events)
    return shop


@pytest.fixture
def homes(make_settings: Callable[..., Settings]) -> Iterator[Callable[[], Settings]]:
    """Settings of a new home at each call."""
    with tempfile.TemporaryDirectory() as folder:
        count = iter(range(10_000))
        yield lambda: make_settings(Path(folder) / str(next(count)), **OVERRIDES)


@pytest.mark.parametrize("start", STARTS)
@examples(max_examples=1, deadline=None, phases=PHASES, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=SEEDS)
def test_views_equal_a_plain_replay(seed: int, start: date, homes: Any, shop_of: Any, event_of: Any) -> None:
    bulk, pieces, chance = shop_of(homes()), shop_of(homes()), Random(seed)  # noqa: S311
    span = Span(start, start + timedelta(days=LENGTH))
    events = happened(bulk.settings, start, chance, event_of)
    for shop in (bulk, pieces):
        published(shop, span, events)
    build(bulk.settings, span)
    check_tiles(bulk, span, events)
    check_windows(bulk, span, events)
    check_states(bulk, span, events)
    check_moments(bulk, span)
    middle = start + timedelta(days=chance.choice((*range(1, 12), *range(34, LENGTH))))
    for part in (Span(start, middle), Span(middle, span.end)):
        build(pieces.settings, part)
    check_same(bulk, pieces, span)


def check_same(one: Any, other: Any, span: Span) -> None:
    """Built at once or in pieces: the same bytes, and interests to 1e-9."""
    exact = [f"features/{view.name}" for view in views_of(one.settings) if view.name != USER_INTEREST]
    assert one.bytes_of(*DAILY, *exact) == other.bytes_of(*DAILY, *exact)
    rows, others = one.rows(USER_INTEREST, span), other.rows(USER_INTEREST, span)
    for day in span.days():
        assert len(rows[day]) == len(others[day])
        for row, again in zip(rows[day], others[day], strict=True):
            assert {k: v for k, v in row.items() if not k.endswith("d")} == {
                k: v for k, v in again.items() if not k.endswith("d")
            }
            for days in OVERRIDES["half_life_days"]:
                for name in (f"interest_{days}d", f"profile_shares_{days}d"):
                    np.testing.assert_allclose(row[name], again[name], rtol=1e-9)


def check_moments(shop: Any, span: Span) -> None:
    for view in (view.name for view in views_of(shop.settings)):
        for day, rows in shop.rows(view, span).items():
            end = day_end(day, shop.settings.zone)
            assert all(row["event_timestamp"] == end for row in rows)
            assert all(row["created_timestamp"] == end + timedelta(minutes=60) for row in rows)


def check_tiles(shop: Any, span: Span, events: list[dict[str, Any]]) -> None:
    """Sums of a day, of the rich one's largest as well."""
    names = ("user_id", "session_id", "item_id", "category", "event_type", "is_bot")
    for day in span.days():
        expected: dict[Any, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
        for event in events:
            if day_of(event["occurred_at"], shop.settings.zone) == day:
                added = (1, event["quantity"] or 0, spend(event), event.get("dwell_ms") or 0)
                key = tuple(event[name] for name in names)
                expected[key] = [one + more for one, more in zip(expected[key], added, strict=True)]
        found = {
            tuple(row[name] for name in names): [row[name] for name in ("count", "quantity", "spend", "dwell_ms")]
            for row in pq.read_table(shop.lake.daily("tiles", day)).to_pylist()
        }
        assert found == expected


def check_windows(shop: Any, span: Span, events: list[dict[str, Any]]) -> None:
    counted = [event for event in events if event["event_type"] in WINDOW_BEHAVIOURS and not event["is_bot"]]
    views = (("user", events), ("item", counted), ("category", counted), ("segment", counted))
    for kind, among in views:
        rows, key = shop.rows(f"{kind}_windows", span), f"{kind}_id" if kind in ("user", "item") else kind
        by_entity: dict[str, list[Any]] = {item: [] for item in TOLD} if kind == "item" else {}
        for event in among:
            for entity in of(event, key):
                by_entity.setdefault(entity, []).append((day_of(event["occurred_at"], shop.settings.zone), event))
        for day in span.days():
            expected = {
                entity: exactly(measured(kind, entity, own, day, span, shop.settings))
                for entity, own in by_entity.items()
                if is_due(kind, entity, own, day, span.start)
            }
            found = {row[key]: {k: v for k, v in row.items() if "timestamp" not in k and k != key} for row in rows[day]}
            assert found == expected, (kind, day)
            assert [row[key] for row in rows[day]] == sorted(expected)


def exactly(values: dict[str, float]) -> dict[str, Any]:
    """Whole numbers as they are, others to their last bits."""
    return {k: v if isinstance(v, int) else pytest.approx(v, abs=0, rel=1e-12) for k, v in values.items()}


def of(event: dict[str, Any], key: str) -> set[str]:
    """The entities that an event counts for."""
    if key == "segment":
        said = {name: event.get(name) for name in OVERRIDES["segments"]}
        return {f"{name}={value}" for name, value in said.items() if value}
    return {event[key]} - {None, ""}


def is_due(kind: str, entity: str, own: Any, day: date, start: date) -> bool:
    """Whether something enters or leaves on a day, or a price changes or leaves the longest window."""
    longest = max(OVERRIDES["window_days"])
    versions = TOLD.get(entity, []) if kind == "item" else []
    dearer = [place for (_first, _name, was), (place, _other, price) in pairwise(versions) if price != was]
    changes = [start + timedelta(days=place or 0) for place in dearer]
    entered = [(day - then).days for then, _event in own]
    return any(past in (0, *OVERRIDES["window_days"], *TREND_DAYS) for past in entered) or any(
        (day - then).days in (0, longest) for then in changes
    )


def measured(kind: str, entity: str, own: Any, day: date, span: Span, settings: Settings) -> dict[str, float]:
    if kind == "user":
        return count_user(own, day)
    about = about_item(entity, day, span.start, settings) if kind == "item" else {}
    return {**count_of_all(kind, own, day), **about}


def within(own: Any, day: date, days: int, *types: str) -> list[dict[str, Any]]:
    """Events of the last ``days`` days, ``day`` being the last of them, of these types or of any."""
    return [
        event for then, event in own if 0 <= (day - then).days < days and (not types or event["event_type"] in types)
    ]


def count_user(own: Any, day: date) -> dict[str, float]:
    values: dict[str, float] = {}
    for behaviour in WINDOW_BEHAVIOURS:
        for days in OVERRIDES["window_days"]:
            seen = within(own, day, days, behaviour)
            counts = {
                "count": len(seen),
                "items": len({event["item_id"] for event in seen}),
                "categories": len({event["category"] for event in seen}),
                "spend": sum(spend(event) for event in seen),
                "dwell": sum(event.get("dwell_ms") or 0 for event in seen),
            }
            values |= {f"{behaviour}_{name}_{days}d": counts[name] for name in measures(behaviour)}
        values[f"{behaviour}_trend"] = trend(own, day, behaviour)
        latest = [
            int(event["occurred_at"].timestamp()) * 10**6 + event["occurred_at"].microsecond
            for event in within(own, day, 35, behaviour)
        ]
        values[f"{behaviour}_last_us"] = max(latest, default=0)
    for days in OVERRIDES["window_days"]:
        for name, (above, below) in RATES.items():
            values[f"{name}_rate_{days}d"] = rate(own, day, days, above, below)
        values[f"active_days_{days}d"] = len({then for then, _event in own if 0 <= (day - then).days < days})
        values[f"sessions_{days}d"] = sessions(within(own, day, days), own)
    return values


def spend(event: dict[str, Any]) -> int:
    return (event["price"] or 0) * (event["quantity"] or 0)


def trend(own: Any, day: date, *types: str) -> float:
    now = len(within(own, day, 7, *types))
    usual = (len(within(own, day, 35, *types)) - now) / 4
    return (now - usual) / (now + usual) if now + usual else 0.0


def rate(own: Any, day: date, days: int, above: str, below: str) -> float:
    of = len(within(own, day, days, below))
    return len(within(own, day, days, above)) / of if of else 0.0


def sessions(events: list[dict[str, Any]], own: Any) -> int:
    """Runs of events of a day without a pause of ``session_minutes``."""
    days = {id(event): then for then, event in own}
    ordered = sorted((days[id(event)], event["occurred_at"]) for event in events)
    pause = timedelta(minutes=OVERRIDES["session_minutes"])
    pauses = [one[0] != other[0] or other[1] - one[1] >= pause for one, other in pairwise(ordered)]
    return bool(events) + sum(pauses)


def count_of_all(entity: str, own: Any, day: date) -> dict[str, float]:
    values: dict[str, float] = {}
    for behaviour in (*WINDOW_BEHAVIOURS, "interaction"):
        types = INTERACTIONS if behaviour == "interaction" else (behaviour,)
        for days in OVERRIDES["window_days"]:
            seen = within(own, day, days, *types)
            values[f"{entity}_{behaviour}_count_{days}d"] = len(seen)
            values[f"{entity}_{behaviour}_users_{days}d"] = len({event["user_id"] for event in seen} - {None})
    for days in OVERRIDES["window_days"]:
        values[f"{entity}_conversion_{days}d"] = rate(own, day, days, "purchase", "view")
    values[f"{entity}_trend"] = trend(own, day, *INTERACTIONS)
    return values


def about_item(item: str, day: date, start: date, settings: Settings) -> dict[str, float]:
    """What its description adds: prices, and since when it is known."""
    longest = timedelta(days=max(OVERRIDES["window_days"]))
    just_before = timedelta(microseconds=1)
    now, then = (
        as_it_was(item, start, day_end(of, settings.zone) - just_before, settings)[1] for of in (day, day - longest)
    )
    first_us = int(datetime(2000, 1, 1, tzinfo=UTC).timestamp()) * 10**6 if item in TOLD else 0
    return {"item_price": now, "item_price_change": now / then - 1.0 if then else 0.0, "item_first_us": first_us}


def check_states(shop: Any, span: Span, events: list[dict[str, Any]]) -> None:
    """From one day's row, ``advance`` gives the next day's."""
    zone = shop.settings.zone
    by_user: dict[str, dict[date, list[Live]]] = defaultdict(lambda: defaultdict(list))
    for event in events:
        if event["user_id"] is not None:
            by_user[event["user_id"]][day_of(event["occurred_at"], zone)].append(live(event))
    views = {name: shop.rows(name, span) for name in ("user_sequence", "user_interest", "user_items")}
    for user, by_day in by_user.items():
        row: dict[str, Any] = {}
        for day in span.days():
            end = day_end(day, zone)
            state = advance(
                from_row(user, row, (), OVERRIDES["half_life_days"]),
                by_day[day],
                int(end.timestamp()) * 1_000_000,
                sequence_length=OVERRIDES["sequence_length"],
                history_items=OVERRIDES["history_items"],
                session_minutes=OVERRIDES["session_minutes"],
            )
            fresh = [found for rows in views.values() for found in rows[day] if found["user_id"] == user]
            types = {event.event_type for event in by_day[day] if event.item_id}
            assert len(fresh) == bool(types & set(SEQUENCED)) + 2 * bool(types & set(INTERACTIONS))
            for found in fresh:
                row = {**row, **found}
            same_state(state, from_row(user, row, (), OVERRIDES["half_life_days"]))
            same_profiles(state, row)


def same_profiles(state: UserState, row: dict[str, Any]) -> None:
    for place, days in enumerate(OVERRIDES["half_life_days"] if state.interest.categories else ()):
        categories, shares = state.interest.profile(place)
        assert sum(shares) == pytest.approx(1.0)
        # strengths that are equal but for their last bits may stand in either order
        found = dict(zip(row[f"profile_categories_{days}d"], row[f"profile_shares_{days}d"], strict=True))
        assert found == pytest.approx(dict(zip(categories, shares, strict=True)), rel=1e-9)
        assert row[f"profile_shares_{days}d"] == sorted(found.values(), reverse=True)


def live(event: dict[str, Any]) -> Live:
    moment = (event["occurred_at"] - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    return Live(
        event["item_id"],
        event["category"],
        event["event_type"],
        moment,
        event["source_position"],
        event.get("dwell_ms") or 0,
        event["event_id"],
    )


def same_state(one: UserState, other: UserState) -> None:
    assert one.sequence == other.sequence
    assert one.history == other.history
    for name in ("categories", "as_of_us", "first_us", "last_us"):
        assert getattr(one.interest, name) == getattr(other.interest, name)
    np.testing.assert_allclose(one.interest.strengths, other.interest.strengths, rtol=1e-9)
