"""Sessions: those of the source, and those that silence ends."""

from __future__ import annotations

from datetime import date
from itertools import pairwise
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from validation.profile.counts import EVENTS, spreads
from validation.profile.sessions import EVENT_EDGES, LENGTH_EDGES, SILENCE_MINUTES, sessions

DAY = date(2010, 12, 1)


def test_a_session_of_the_source_is_one_however_long_it_is_silent(shop: Any, row: Any) -> None:
    named = [row(f"{DAY} {hour}:00:00", session_id="s", user_id=user) for hour, user in ((10, ""), (15, "u1"))]
    shop.deliver(DAY, *named, row(f"{DAY} 10:00:00", session_id="t"))
    found = shop.measure(DAY).sessions
    assert (found.named, found.cut, found.left_out) == (2, 0, 0)
    assert [(one.what, one.least, one.most) for one in found.spreads] == [
        ("events of a session", 1, 2),
        ("length of a session", 0, 5 * 3600 * 1_000_000),
    ]


@pytest.mark.parametrize(("second", "cut"), [("10:30:00", 1), ("10:30:01", 2)])
def test_more_than_thirty_minutes_of_silence_end_a_session(shop: Any, row: Any, second: str, cut: int) -> None:
    shop.deliver(DAY, row(f"{DAY} 10:00:00"), row(f"{DAY} {second}"))
    assert shop.measure(DAY).sessions.cut == cut


def test_sessions_that_are_cut_are_one_users_and_guests_without_one_are_left_out(shop: Any, row: Any) -> None:
    users = [row(f"{DAY} 10:00:0{n}", user_id=user) for n, user in enumerate(("u1", "u2", "u1"))]
    shop.deliver(DAY, *users, row(f"{DAY} 10:00:00", user_id=""), row(f"{DAY} 10:00:00", user_id="", item_id="i2"))
    found = shop.measure(DAY).sessions
    assert (found.named, found.cut, found.left_out) == (0, 2, 2)
    assert found.by_events.counts[:2] == (1, 1)


def test_sessions_are_put_into_steps_by_events_and_length(shop: Any, row: Any) -> None:
    rows = [row(f"{DAY} 10:{n:02}:00", session_id="long", event_id=n) for n in range(6)]
    shop.deliver(DAY, *rows, row(f"{DAY} 10:00:00", session_id="short"))
    found = shop.measure(DAY).sessions
    assert dict(zip(EVENT_EDGES, found.by_events.counts, strict=False))[10] == 1
    assert dict(zip(LENGTH_EDGES, found.by_length.counts, strict=False))[5 * 60_000_000] == 1
    assert sum(found.by_events.counts) == sum(found.by_length.counts) == 2


MOMENTS = st.lists(
    st.tuples(st.sampled_from([None, "u1", "u2"]), st.sampled_from([None, None, "s1", "s2"]), st.integers(0, 300)),
    min_size=1,
    max_size=40,
)


@pytest.mark.thorough
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(MOMENTS)
def test_any_rows_are_cut_as_a_person_would(rows: list[tuple[str | None, str | None, int]]) -> None:
    midnight = 1_291_161_600_000_000
    table = pa.table(
        {
            "source": pa.array(["x"] * len(rows)),
            "user_id": pa.array([user for user, _, _ in rows], pa.string()),
            "session_id": pa.array([session for _, session, _ in rows], pa.string()),
            "occurred_at": pa.array([midnight + minute * 60_000_000 for *_, minute in rows], pa.timestamp("us", "UTC")),
        }
    )
    with duckdb.connect() as connection:
        connection.register(EVENTS, table)
        found = sessions(connection)
    assert (found.named, found.cut, found.left_out) == counted(rows)
    assert sum(found.by_events.counts) == found.named + found.cut


def counted(rows: list[tuple[str | None, str | None, int]]) -> tuple[int, int, int]:
    named = {session for _, session, _ in rows if session is not None}
    cut = 0
    for user in {user for user, session, _ in rows if session is None and user is not None}:
        minutes = sorted(minute for who, session, minute in rows if session is None and who == user)
        gaps = [after - before for before, after in pairwise(minutes)]
        cut += 1 + sum(gap > SILENCE_MINUTES for gap in gaps)
    return len(named), cut, sum(user is None and session is None for user, session, _ in rows)


@pytest.mark.thorough
@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("ab"), st.none() | st.integers(-5, 50)), min_size=1, max_size=250))
def test_any_values_have_the_spread_of_their_sorted_list(rows: list[tuple[str, int | None]]) -> None:
    table = pa.table({"kind": [kind for kind, _ in rows], "value": pa.array([value for _, value in rows], pa.int64())})
    with duckdb.connect() as connection:
        connection.register("rows", table)
        found = spreads(connection, "rows", "kind", "value", "'pieces'")
    by_kind = {kind: sorted(value for of, value in rows if of == kind and value is not None) for kind in "ab"}
    assert {one.what: one.rows for one in found} == {kind: len(values) for kind, values in by_kind.items() if values}
    for one in found:
        values = by_kind[one.what]
        places = (1, -(-len(values) // 2), -(-99 * len(values) // 100), len(values))
        assert (one.least, one.median, one.p99, one.most) == tuple(values[place - 1] for place in places)
