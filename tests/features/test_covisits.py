"""Which items are wanted together, against counting baskets by hand."""

from __future__ import annotations

import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from itertools import accumulate, chain, pairwise
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from features.baskets import KINDS
from features.build import build
from features.decay import MINUTE_US
from features.views import COVISITED, ITEM_COVISITS
from infra.partitions import Span
from infra.settings import Settings

pytestmark = pytest.mark.thorough
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
# a log follows from its seed; 0 would be every run's first one
SEEDS = st.integers(0, 2**32).filter(bool)
SPAN = Span(date(2012, 2, 24), date(2012, 3, 9))
WINDOW, LIMIT, PAUSE = 5, 3, 35


@pytest.fixture
def homes(make_settings: Callable[..., Settings]) -> Iterator[Callable[[], Settings]]:
    with tempfile.TemporaryDirectory() as folder:
        count = iter(range(10_000))
        lengths = {"window_days": (1, WINDOW), "half_life_days": (7,), "basket_items": LIMIT, "session_minutes": PAUSE}
        yield lambda: make_settings(Path(folder) / str(next(count)), **lengths)


FIELDS: dict[str, tuple[Any, ...]] = {
    "day": tuple(range(len(SPAN))),
    "minute": (0, 5, 34, 35, 600),
    "user_id": ("u1", "u2", "u3", None),
    "item_id": ("i1", "i2", "i3", "i4", "i5"),
    "event_type": ("view", "purchase", "impression", "search"),
    "is_bot": (False, False, False, True),
}


@examples(max_examples=3, deadline=None, phases=PHASES, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=SEEDS)
def test_pairs_are_those_of_the_baskets_in_the_window(seed: int, homes: Any, shop_of: Any, event_of: Any) -> None:
    whole, pieces, chance = shop_of(homes()), shop_of(homes()), Random(seed)  # noqa: S311
    log = [{name: chance.choice(of) for name, of in FIELDS.items()} for _row in range(150)]
    events = [_event(event_of, whole.settings, number, row) for number, row in enumerate(log)]
    for shop in (whole, pieces):
        shop.publish(SPAN, events)
    build(whole.settings, SPAN)
    middle = SPAN.start + timedelta(days=chance.randint(1, len(SPAN) - 1))
    for span in (Span(SPAN.start, middle), Span(middle, SPAN.end)):
        build(pieces.settings, span)
    rows = whole.rows(ITEM_COVISITS, SPAN)
    baskets = {kind: _baskets(events, kind) for kind in KINDS}
    for day in SPAN.days():
        found = {row.pop("item_id"): row for row in rows[day]}
        assert found.keys() == _due(baskets["day"], day)
        for item, row in found.items():
            for kind in KINDS:
                _check(row, kind, item, [items for then, items in baskets[kind] if 0 <= (day - then).days < WINDOW])
    folders = ("baskets", f"features/{ITEM_COVISITS}")
    assert whole.bytes_of(*folders) == pieces.bytes_of(*folders)


def test_an_item_that_leaves_the_window_has_nothing_beside_it(shop_of: Any, event_of: Any, homes: Any) -> None:
    shop, row = shop_of(homes()), {"user_id": "u1", "event_type": "view", "is_bot": False, "day": 0}
    log = [{**row, "minute": minute, "item_id": item} for minute in (0, 600) for item in ("i1", "i2")]
    shop.publish(SPAN, [_event(event_of, shop.settings, number, one) for number, one in enumerate(log)])
    build(shop.settings, SPAN)
    rows = shop.rows(ITEM_COVISITS, SPAN)
    said = {day: [row["session_covisit_items"] for row in found] for day, found in rows.items() if found}
    assert said == {SPAN.start: [["i2"], ["i1"]], SPAN.start + timedelta(days=WINDOW): [[], []]}
    assert rows[SPAN.start][0]["session_covisit_lifts"] == [1.0]
    assert rows[SPAN.start][0]["day_covisit_items"] == []


def _event(event_of: Any, settings: Settings, number: int, row: dict[str, Any]) -> dict[str, Any]:
    fields = {name: value for name, value in row.items() if name not in ("day", "minute")}
    session = "s1" if fields["user_id"] is None else f"s{number}"
    day = SPAN.start + timedelta(days=row["day"])
    identity = f"e{(number * 7919) % 1009:04}"
    return dict(event_of(settings, day, row["minute"] * MINUTE_US, event_id=identity, session_id=session, **fields))


def _baskets(events: list[dict[str, Any]], kind: str) -> list[tuple[date, list[str]]]:
    """Day and items of every basket, a larger one's first ones."""
    by_user: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    for event in sorted(events, key=lambda one: (one["occurred_at"], one["source_position"], one["event_id"])):
        by_user[event["occurred_at"].date(), event["user_id"]].append(event)
    found = []
    for (day, _user), own in by_user.items():
        paused = [other["occurred_at"] - one["occurred_at"] >= timedelta(minutes=PAUSE) for one, other in pairwise(own)]
        run = accumulate([0, *paused]) if kind == "session" else [0] * len(own)
        baskets: dict[int, list[str]] = defaultdict(list)
        for number, event in zip(run, own, strict=True):
            wanted = event["event_type"] in ("view", "purchase") and not event["is_bot"]
            if wanted and event["item_id"] not in baskets[number]:
                baskets[number].append(event["item_id"])
        found += [(day, items[:LIMIT]) for items in baskets.values() if items]
    return found


def _due(baskets: list[tuple[date, list[str]]], day: date) -> set[str]:
    return {item for then, items in baskets if (day - then).days in (0, WINDOW) for item in items}


def _check(row: dict[str, Any], kind: str, item: str, window: list[list[str]]) -> None:
    alone = Counter(chain.from_iterable(window))
    both = Counter(other for items in window if item in items for other in items if other != item)
    often = sorted((name for name in both if both[name] >= 2), key=lambda name: (-both[name], name))[:COVISITED]
    assert row[f"{kind}_covisit_items"] == often
    assert row[f"{kind}_covisit_counts"] == [both[name] for name in often]
    lifts = [both[name] * len(window) / (alone[item] * alone[name]) for name in often]
    assert row[f"{kind}_covisit_lifts"] == pytest.approx(lifts, rel=1e-12)
