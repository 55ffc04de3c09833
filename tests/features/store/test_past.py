"""What the lake says of past moments is what Feast's historical retrieval says, and goes on with the log."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from features.build import build
from features.engine import connect
from features.past import Past
from features.state import from_row
from features.state_table import values_of
from features.store.lookup import Lookup
from features.store.point_in_time import user_rows
from features.view import EVENT_TIMESTAMP
from infra.errors import FeatureError
from infra.moments import microseconds
from infra.partitions import Span, day_start

pytestmark = pytest.mark.integration

START = date(2011, 1, 3)
SPAN = Span(START, START + timedelta(days=8))
WINDOWS = (1, 3)
UTC = pa.timestamp("us", tz="UTC")
USERS = ("st-u1", "st-u2", "st-nobody")
#: Of the first day.
EVERY = ("st-0-1", "st-0-2")


@pytest.fixture
def past(store: Any) -> Iterator[Past]:
    with connect(store.settings) as connection:
        yield Past(connection, store.settings, USERS, SPAN)


def begin(store: Any, day: int) -> datetime:
    return day_start(START + timedelta(days=day), store.settings.zone)


def test_its_rows_are_those_of_historical_retrieval(store: Any, past: Past) -> None:
    settings = store.settings
    pairs = [(user, day) for user in USERS for day in range(1, 15)]  # windows expire four days after the last row
    moments = [begin(store, day) + timedelta(hours=2) for _, day in pairs]
    asked = pa.table({"user_id": [user for user, _ in pairs], EVENT_TIMESTAMP: pa.array(moments, UTC)})
    for (user, day), moment, row in zip(pairs, moments, user_rows(settings, asked).to_pylist(), strict=True):
        expected = from_row(user, row, settings.window_days, settings.half_life_days)
        found = past.state(user, begin(store, day), moment, (), moment)
        assert found.windows == expected.windows
        assert found.history == expected.history
        assert found.sequence == expected.sequence
        assert found.interest.categories == expected.interest.categories
        assert found.interest.strengths.tolist() == expected.interest.strengths.tolist()


@pytest.mark.parametrize(("user_days", "known"), [(3, True), (2, False)])
def test_an_idle_user_is_forgotten_everywhere_at_once(store: Any, user_days: int, known: bool) -> None:
    """The second user's last row is three days old: answers, training and what answers are held against agree."""
    settings = store.settings.model_copy(update={"online_user_days": user_days})
    moment = begin(store, 8)
    online = from_row("st-u2", Lookup(settings).user("st-u2", moment), WINDOWS, settings.half_life_days)
    asked = pa.table({"user_id": ["st-u2"], EVENT_TIMESTAMP: pa.array([moment], UTC)})
    [row] = user_rows(settings, asked).to_pylist()
    trained = from_row("st-u2", row, WINDOWS, settings.half_life_days)
    with connect(settings) as connection:
        expected = Past(connection, settings, USERS, SPAN).state("st-u2", moment, moment, (), moment)
    for state in (online, trained, expected):
        assert state.known == known
        held = (len(state.sequence.items), len(state.history.items), len(state.interest.categories))
        assert held == ((2, 1, 1) if known else (0, 0, 0))


def test_only_events_that_were_seen_come_on_top(store: Any, past: Past) -> None:
    moment = begin(store, 0) + timedelta(hours=3)
    none, one, all_ = (past.state("st-u1", begin(store, 0), moment, seen, moment) for seen in ((), ("st-0-2",), EVERY))
    assert (none.known, one.sequence.items, all_.sequence.items) == (False, ("st-i2",), ("st-i1", "st-i2"))
    assert all_.moment_us == microseconds(moment)
    before = past.state("st-u1", begin(store, 0), begin(store, 0) + timedelta(hours=2), EVERY, moment)
    assert before.sequence.items == ("st-i1",)
    assert values_of(all_)["today_purchase"] == 1


def test_rows_are_those_that_were_known(settings: Any, shop_of: Any, event_of: Any) -> None:
    """Of the first day something is told three days later; the day itself was known an hour after its end."""
    made, end = shop_of(settings), day_start(START + timedelta(days=1), settings.zone)
    made.publish(SPAN, [event_of(settings, START, item_id="i1")])
    made.publish(Span.of_day(START), [event_of(settings, START, 1, item_id="i2", event_id="l")], "l", timedelta(days=3))
    build(settings, SPAN)
    with connect(settings) as connection:
        past = Past(connection, settings, ["u1"], SPAN)
        late = end + timedelta(days=3)
        for known, items in (
            (end, ("i1",)),
            (late - timedelta(microseconds=1), ("i1",)),
            (late, ("i1", "i2")),
        ):
            state = past.state("u1", end + timedelta(days=1), late, (), known)
            assert state.sequence.items == items


def test_days_that_are_not_closed_are_named(store: Any) -> None:
    with connect(store.settings) as connection, pytest.raises(FeatureError, match="not closed: 2011-01-11"):
        Past(connection, store.settings, USERS, Span(START, SPAN.end + timedelta(days=1)))
