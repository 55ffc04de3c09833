"""Every view of a random log equals what a person would count by hand."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from features.advance import advance
from features.build import build
from features.events.schema import EVENT_TYPES, WITHOUT_ITEM
from features.state import Live, UserState, from_row
from features.views import SEQUENCED, views_of
from features.window_views import INTERACTIONS, RATES, TREND_DAYS, WINDOW_BEHAVIOURS, measures
from infra.partitions import Span, day_end, day_of
from infra.settings import Settings

pytestmark = pytest.mark.thorough

# British summer time begins on 28 March, and a month ends
SPAN = Span(date(2010, 3, 24), date(2010, 4, 5))
CATEGORIES = {"i1": "mug", "i2": "mug", "i3": "lamp", "i4": "Ödland"}
ITEMS = (*CATEGORIES, "i9")
OVERRIDES = {
    "timezone": "Europe/London",
    "window_days": (1, 3),
    "half_life_days": (1, 7),
    "sequence_length": 3,
    "history_items": 2,
    "segments": ("country",),
}
# making a failing log smaller would take longer than reading it
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
HOUR = 3_600_000_000
MOMENTS = (0, HOUR, HOUR + 1, HOUR + HOUR // 2, HOUR + HOUR // 2 + 1, 12 * HOUR, 22 * HOUR + 59)


@st.composite
def logs(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Rows without moment: ties, gaps, guests, returns, searches, dwell times, missing prices."""
    kinds = st.fixed_dictionaries(
        {
            "day": st.integers(0, len(SPAN) - 1),
            "offset": st.sampled_from(MOMENTS),
            "user_id": st.sampled_from(("u1", "u2", "ü3", "u4", "u5", None)),
            "item_id": st.sampled_from(ITEMS),
            "event_type": st.sampled_from((*EVENT_TYPES, "purchase", "view", "view")),
            "source_position": st.integers(0, 1),
            "country": st.sampled_from((None, "Norway", "Österreich")),
            "dwell_ms": st.sampled_from((None, 0, 30_000, 60_000, 61_000, 600_000, 10**7)),
            "quantity": st.sampled_from((None, 1, 3)),
            "price": st.sampled_from((None, 0, 250)),
        }
    )
    return draw(st.lists(kinds, min_size=draw(st.sampled_from((0, 150))), max_size=200))


def published(settings: Settings, log: list[dict[str, Any]], event_of: Callable[..., Any]) -> list[dict[str, Any]]:
    days = list(SPAN.days())
    events = []
    for number, row in enumerate(log):
        fields = {name: value for name, value in row.items() if name not in ("day", "offset")}
        if fields["event_type"] in WITHOUT_ITEM:
            fields["item_id"] = None
        session = "s1" if fields["user_id"] is None else None
        # ids that do not follow the order of the list: they break ties
        identity = f"e{(number * 7919) % 1009:04}"
        events.append(
            event_of(settings, days[row["day"]], row["offset"], event_id=identity, session_id=session, **fields)
        )
    return events


@pytest.fixture
def homes(make_settings: Callable[..., Settings]) -> Iterator[Callable[[], Settings]]:
    """Settings of a new home at each call."""
    with tempfile.TemporaryDirectory() as folder:
        count = iter(range(10_000))
        yield lambda: make_settings(Path(folder) / str(next(count)), **OVERRIDES)


@examples(max_examples=4, deadline=None, phases=PHASES, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(log=logs(), cuts=st.sets(st.integers(1, len(SPAN) - 1), min_size=1, max_size=2))
def test_views_equal_a_plain_replay(log: Any, cuts: set[int], homes: Any, shop_of: Any, event_of: Any) -> None:
    bulk, pieces = shop_of(homes()), shop_of(homes())
    events = published(bulk.settings, log, event_of)
    for shop in (bulk, pieces):
        shop.items(CATEGORIES)
        shop.publish(SPAN, events)
    build(bulk.settings, SPAN)
    check_windows(bulk, events)
    check_states(bulk, events)
    check_moments(bulk)
    days = [SPAN.start + timedelta(days=cut) for cut in sorted({0, *cuts, len(SPAN)})]
    for start, end in pairwise(days):
        build(pieces.settings, Span(start, end))
    check_same(bulk, pieces)


def check_same(one: Any, other: Any) -> None:
    """Built at once or in pieces: the same bytes, and interests to 1e-9."""
    for name in ("user_windows", "item_windows", "category_windows", "segment_windows", "user_sequence", "user_items"):
        assert one.bytes_of("tiles", f"features/{name}") == other.bytes_of("tiles", f"features/{name}")
    rows, others = one.rows("user_interest", SPAN), other.rows("user_interest", SPAN)
    for day in SPAN.days():
        assert len(rows[day]) == len(others[day])
        for row, again in zip(rows[day], others[day], strict=True):
            assert {k: v for k, v in row.items() if not k.endswith("d")} == {
                k: v for k, v in again.items() if not k.endswith("d")
            }
            for days in OVERRIDES["half_life_days"]:
                for name in (f"interest_{days}d", f"profile_shares_{days}d"):
                    np.testing.assert_allclose(row[name], again[name], rtol=1e-9)


def check_moments(shop: Any) -> None:
    for view in (view.name for view in views_of(shop.settings)):
        for day, rows in shop.rows(view, SPAN).items():
            end = day_end(day, shop.settings.zone)
            assert all(row["event_timestamp"] == end for row in rows)
            assert all(row["created_timestamp"] == end + timedelta(minutes=60) for row in rows)


def check_windows(shop: Any, events: list[dict[str, Any]]) -> None:
    counted = [event for event in events if event["event_type"] in WINDOW_BEHAVIOURS]
    named = [event for event in counted if event["item_id"] in CATEGORIES]
    views = (
        ("user_windows", "user_id", count_user, events),
        ("item_windows", "item_id", count_item, counted),
        ("category_windows", "category", partial(count_of_all, "category"), named),
        ("segment_windows", "segment", partial(count_of_all, "segment"), counted),
    )
    for view, key, measure, among in views:
        rows = shop.rows(view, SPAN)
        for day in SPAN.days():
            expected = {}
            for entity in {of(event, key) for event in among} - {None}:
                mine = [event for event in among if of(event, key) == entity]
                own = [(day_of(event["occurred_at"], shop.settings.zone), event) for event in mine]
                if any((day - then).days in (0, *OVERRIDES["window_days"], *TREND_DAYS) for then, _event in own):
                    expected[entity] = pytest.approx(measure(own, day), abs=0, rel=1e-12)
            found = {row[key]: {k: v for k, v in row.items() if "timestamp" not in k and k != key} for row in rows[day]}
            assert found == expected, (view, day)
            assert [row[key] for row in rows[day]] == sorted(expected)


def of(event: dict[str, Any], key: str) -> str | None:
    if key == "segment":
        return f"country={event['country']}" if event["country"] else None
    return CATEGORIES.get(event["item_id"]) if key == "category" else event[key]


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
                "categories": len({CATEGORIES.get(event["item_id"], "") for event in seen}),
                "spend": sum((event["price"] or 0) * (event["quantity"] or 0) for event in seen),
                "dwell": sum(event["dwell_ms"] or 0 for event in seen),
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


def trend(own: Any, day: date, *types: str) -> float:
    now = len(within(own, day, 7, *types))
    usual = (len(within(own, day, 35, *types)) - now) / 4
    return (now - usual) / (now + usual) if now + usual else 0.0


def rate(own: Any, day: date, days: int, above: str, below: str) -> float:
    of = len(within(own, day, days, below))
    return len(within(own, day, days, above)) / of if of else 0.0


def sessions(events: list[dict[str, Any]], own: Any) -> int:
    """Runs of events of a day without a pause of half an hour."""
    days = {id(event): then for then, event in own}
    ordered = sorted((days[id(event)], event["occurred_at"]) for event in events)
    pauses = [one[0] != other[0] or other[1] - one[1] >= timedelta(minutes=30) for one, other in pairwise(ordered)]
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


def count_item(own: Any, day: date) -> dict[str, float]:
    known = own[0][1]["item_id"] in CATEGORIES
    first_us = int(datetime(2000, 1, 1, tzinfo=UTC).timestamp()) * 10**6 if known else 0
    about = {"item_price": 100 if known else 0, "item_price_change": 0.0, "item_first_us": first_us}
    return {**count_of_all("item", own, day), **about}


def check_states(shop: Any, events: list[dict[str, Any]]) -> None:
    """From one day's row, ``advance`` gives the next day's."""
    zone = shop.settings.zone
    by_user: dict[str, dict[date, list[Live]]] = defaultdict(lambda: defaultdict(list))
    for event in events:
        if event["user_id"] is not None:
            by_user[event["user_id"]][day_of(event["occurred_at"], zone)].append(live(event))
    views = {name: shop.rows(name, SPAN) for name in ("user_sequence", "user_interest", "user_items")}
    for user, by_day in by_user.items():
        row: dict[str, Any] = {}
        for day in SPAN.days():
            end = day_end(day, zone)
            state = advance(
                from_row(user, row, (), OVERRIDES["half_life_days"]),
                by_day[day],
                int(end.timestamp()) * 1_000_000,
                sequence_length=OVERRIDES["sequence_length"],
                history_items=OVERRIDES["history_items"],
                session_minutes=30,
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
        CATEGORIES.get(event["item_id"], ""),
        event["event_type"],
        moment,
        event["source_position"],
        event["dwell_ms"] or 0,
        event["event_id"],
    )


def same_state(one: UserState, other: UserState) -> None:
    assert one.sequence == other.sequence
    assert one.history == other.history
    for name in ("categories", "as_of_us", "first_us", "last_us"):
        assert getattr(one.interest, name) == getattr(other.interest, name)
    np.testing.assert_allclose(one.interest.strengths, other.interest.strengths, rtol=1e-9)
