"""At any moment a user's state is what a recount of all events before it says that were known by then."""

from __future__ import annotations

import tempfile
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from random import Random
from statistics import fmean, pstdev
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from features.advance import advance
from features.behaviour import KNOWN_US, behaviour
from features.build import CHAINED, build
from features.chain import states_before
from features.decay import DAY_US, weight
from features.engine import DAY, Connection, connect, table_of
from features.events.schema import EVENT_TYPES, USER_ID, WITHOUT_ITEM
from features.item_history import item_versions
from features.knowledge import Knowledge
from features.state import UserState, from_row
from features.user_log import LATE_US, LOG_COLUMNS, UserLog
from features.views import SEQUENCED, views_of
from features.window_views import INTERACTIONS, WINDOW_BEHAVIOURS
from infra.moments import microseconds
from infra.partitions import Span, day_end, day_of, day_start
from infra.settings import Settings

pytestmark = pytest.mark.thorough

# a leap day, weeks of nothing, and the night in which British summer time begins
SPAN = Span(date(2012, 2, 27), date(2012, 3, 28))
DAYS = (0, 1, 2, 3, 26, 27, 28, 29)
#: Days of which some rows come a day late; each is one more way through the days for a build.
LATE = (1, 26)
CATEGORIES = {"i1": "mug", "i2": "mug", "i3": "lamp"}
USERS = ("u1", "u2", "u3")
LENGTHS = {
    "timezone": "Europe/London",
    "window_days": (1,),
    "half_life_days": (1, 30),
    "sequence_length": 5,
}
SECOND, HOUR = 1_000_000, 3_600_000_000
#: A burst, the edges of a session, of an hour and of the shop's day.
OFFSETS = (0, 1, 2, HOUR // 2, HOUR // 2 + 1, HOUR, HOUR + SECOND, 12 * HOUR, 22 * HOUR + HOUR // 2)


@dataclass(frozen=True)
class Happened:
    """An event as this test counts it; ``known_us``: when it could be seen, for most as soon as it happened."""

    user: str
    item: str | None
    kind: str
    at_us: int
    place: int
    id_: str
    dwell_ms: int
    known_us: int

    @property
    def category(self) -> str:
        return CATEGORIES.get(self.item or "", "")


#: What rows and moments are drawn from.
FIELDS: dict[str, tuple[Any, ...]] = {
    "day": DAYS,
    "late": (0, 1),
    "offset": OFFSETS,
    "user_id": USERS,
    "item_id": (*CATEGORIES, "i9"),
    "event_type": (*EVENT_TYPES, "view", "purchase"),
    "source_position": (0, 1),
    "dwell_ms": (None, 30_000, 10**7),
}
MOMENT: tuple[tuple[int, ...], ...] = ((*DAYS, 4, 15), OFFSETS, (-1, 0, 1))


@pytest.fixture
def homes(make_settings: Callable[..., Settings]) -> Iterator[Callable[[], Settings]]:
    """Settings of a new home at each call."""
    with tempfile.TemporaryDirectory() as folder:
        count = iter(range(10_000))
        yield lambda: make_settings(Path(folder) / str(next(count)), **LENGTHS)


# a log follows from its seed; 0 would be every run's first one
SEEDS = st.integers(0, 2**32).filter(bool)
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)


@examples(max_examples=2, deadline=None, phases=PHASES, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=SEEDS)
def test_a_state_is_a_recount(seed: int, homes: Any, shop_of: Any, event_of: Any) -> None:
    shop, chance = shop_of(homes()), Random(seed)  # noqa: S311
    shop.items(CATEGORIES)
    log = [{name: chance.choice(of) for name, of in FIELDS.items()} for _row in range(80)]
    happened = publish(shop, [{**row, "late": row["late"] * (row["day"] in LATE)} for row in log], event_of)
    build(shop.settings, SPAN)
    with connect(shop.settings) as connection:
        known = AsKnown(connection, shop.settings)
        for day, offset, more in (map(chance.choice, MOMENT) for _moment in range(6)):
            moment = day_start(SPAN.start + timedelta(days=day), shop.settings.zone)
            moment += timedelta(microseconds=offset + more)
            for user in USERS:
                seen = [one for one in happened if one.user == user and visible(one, microseconds(moment))]
                check(known.state(user, moment), seen, known.since_us(moment), shop.settings)


def visible(one: Happened, moment_us: int) -> bool:
    return one.at_us < moment_us and one.known_us <= moment_us


def publish(shop: Any, log: list[dict[str, Any]], event_of: Any) -> list[Happened]:
    """Deliver every day an hour after its end, and what is late so many days after that."""
    settings, found = shop.settings, []
    by_delivery: dict[tuple[date, int], list[Any]] = {(day, 0): [] for day in SPAN.days()}
    for number, row in enumerate(log):
        day = SPAN.start + timedelta(days=row["day"])
        fields = {name: row[name] for name in ("user_id", "event_type", "source_position", "dwell_ms")}
        item = None if row["event_type"] in WITHOUT_ITEM else row["item_id"]
        # ids that do not follow the order of the list: they break ties
        event = event_of(settings, day, row["offset"], event_id=f"e{number * 7919 % 1009:04}", item_id=item, **fields)
        by_delivery.setdefault((day, row["late"]), []).append(event)
        at = microseconds(event["occurred_at"])
        came = microseconds(day_end(day, settings.zone) + timedelta(days=row["late"], hours=1))
        values = (event["user_id"], item, event["event_type"], at, event["source_position"], event["event_id"])
        found.append(Happened(*values, event["dwell_ms"] or 0, came if row["late"] else at))
    for (day, late), events in sorted(by_delivery.items(), key=lambda entry: entry[0]):
        shop.publish(Span.of_day(day), events, f"{day}-{late}", timedelta(days=late, hours=1))
    return found


class AsKnown:
    """Rows and log as training reads them: as they were known at a moment."""

    def __init__(self, connection: Connection, settings: Settings) -> None:
        self._connection, self._settings = connection, settings
        self._days = list(SPAN.days())
        self._closed = [Knowledge(settings).closed[day] for day in self._days]
        self._users = table_of(connection, pa.table({USER_ID: pa.array(USERS)}))
        self._rows: dict[int, dict[str, dict[str, Any]]] = {}
        events = behaviour(connection, settings, SPAN, item_versions(connection, settings))
        table = events.select(*LOG_COLUMNS, KNOWN_US, DAY).to_pyarrow()
        limits = dict(zip(self._days, self._closed, strict=True))
        came = zip(table[DAY].to_pylist(), table[KNOWN_US].to_pylist(), strict=True)
        late = [known if known > limits[day] else 0 for day, known in came]
        self._log = UserLog(table.append_column(LATE_US, pa.array(late, pa.int64())))

    def since_us(self, moment: datetime) -> int:
        """Up to where the rows go that were known."""
        closed = bisect_right(self._closed, microseconds(moment))
        return microseconds(day_start(SPAN.start + timedelta(days=closed), self._settings.zone))

    def state(self, user: str, moment: datetime) -> UserState:
        settings, moment_us = self._settings, microseconds(moment)
        if moment_us not in self._rows:
            self._rows[moment_us] = self._rows_of(moment)
        row = self._rows[moment_us].get(user, {})
        return advance(
            from_row(user, row, settings.window_days, settings.half_life_days),
            self._log.between(user, self.since_us(moment), moment_us),
            moment_us,
            sequence_length=settings.sequence_length,
            history_items=settings.history_items,
            session_minutes=settings.session_minutes,
        )

    def _rows_of(self, moment: datetime) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        after = day_of(moment, self._settings.zone)
        for view in (view for view in views_of(self._settings) if view.name in CHAINED):
            rows = states_before(self._connection, self._settings.lake, view, after, self._users, microseconds(moment))
            for row in rows.to_pyarrow().to_pylist():
                found[row[USER_ID]] = {**found.get(row[USER_ID], {}), **row}
        return found


def check(state: UserState, seen: list[Happened], since_us: int, settings: Settings) -> None:
    ordered = sorted(seen, key=lambda one: (one.at_us, one.place, one.id_))
    check_sequence(state, [one for one in ordered if one.item and one.kind in SEQUENCED], settings)
    wanted = [one for one in ordered if one.item and one.kind in INTERACTIONS]
    check_interest(state, wanted, settings.half_life_days)
    check_history(state, wanted)
    today = [one.kind for one in ordered if one.at_us >= since_us]
    assert state.today == {kind: today.count(kind) for kind in WINDOW_BEHAVIOURS}


def check_sequence(state: UserState, events: list[Happened], settings: Settings) -> None:
    gaps = [after.at_us - before.at_us for before, after in pairwise([events[0], *events])] if events else []
    starts = [int(not place or gap >= settings.session_minutes * 60 * SECOND) for place, gap in enumerate(gaps)]
    last, sequence = slice(-settings.sequence_length, None), state.sequence
    assert sequence.items == tuple(one.item for one in events)[last]
    assert sequence.categories == tuple(one.category for one in events)[last]
    assert sequence.types == tuple(one.kind for one in events)[last]
    assert sequence.times_us == tuple(one.at_us for one in events)[last]
    assert sequence.dwell_ms == tuple(one.dwell_ms for one in events)[last]
    assert sequence.gaps_us == tuple(gaps)[last]
    assert sequence.starts == tuple(starts)[last]


def check_interest(state: UserState, wanted: list[Happened], half_lives: tuple[int, ...]) -> None:
    by_category: dict[str, list[Happened]] = {}
    for one in wanted:
        by_category.setdefault(one.category, []).append(one)
    interest = state.interest
    assert list(interest.categories) == sorted(by_category)
    strengths = interest.at(state.moment_us, half_lives)
    for place, category in enumerate(interest.categories):
        own = by_category[category]
        assert interest.first_us[place] == min(one.at_us for one in own)
        assert interest.last_us[place] == max(one.at_us for one in own)
        for column, days in enumerate(half_lives):
            expected = sum(
                weight(one.kind, one.dwell_ms) * 2.0 ** (-(state.moment_us - one.at_us) / (days * DAY_US))
                for one in own
            )
            np.testing.assert_allclose(strengths[place, column], expected, rtol=1e-9)


def check_history(state: UserState, wanted: list[Happened]) -> None:
    history = state.history
    known = zip(history.times, history.purchases, history.last_us, strict=True)
    found = dict(zip(history.items, known, strict=True))
    rhythms = dict(zip(history.items, history.rhythms, strict=True))
    expected = {}
    for item in {one.item for one in wanted}:
        own = [one for one in wanted if one.item == item]
        bought = sum(one.kind == "purchase" for one in own)
        expected[item] = (len(own), bought, max(one.at_us for one in own))
        # a visit begins half a day after the last interaction; the days between visits, in whole minutes
        pauses = [after.at_us - before.at_us for before, after in pairwise(own)]
        days = [pause // (60 * SECOND) / (24 * 60) for pause in pauses if pause >= 12 * HOUR] or [0.0]
        visits = 1 + sum(pause >= 12 * HOUR for pause in pauses)
        assert rhythms[item] == pytest.approx((visits, fmean(days), pstdev(days)), rel=1e-9, abs=1e-6)
    assert found == expected


def test_today_is_the_shops_day_once_yesterday_is_closed(homes: Any, shop_of: Any, event_of: Any) -> None:
    """Also on the days of 23 hours; until then what happened yesterday is in no window yet, and counts with it."""
    shop = shop_of(homes())
    short = date(2012, 3, 25)
    log = [
        {"day": (short - SPAN.start).days + more, "late": 0, "offset": offset, "user_id": "u1", "item_id": "i1"}
        for more in (0, 1)
        for offset in (0, HOUR, 22 * HOUR)
    ]
    kinds = {"event_type": "view", "source_position": 0, "dwell_ms": None}
    publish(shop, [{**row, **kinds} for row in log], event_of)
    build(shop.settings, SPAN)
    end = datetime(2012, 3, 25, 23, tzinfo=UTC)
    assert day_end(short, shop.settings.zone) == end
    with connect(shop.settings) as connection:
        known = AsKnown(connection, shop.settings)
        moments = [end - timedelta(microseconds=1), end + timedelta(minutes=30), end + timedelta(minutes=60)]
        moments.append(end + timedelta(hours=22, microseconds=1))
        assert [known.state("u1", moment).today["view"] for moment in moments] == [3, 4, 1, 3]
