"""A login ties the guest's events of its session to the user, from then on, and backwards where that is set."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as searching
from hypothesis import strategies as st

from features.behaviour import behaviour
from features.build import build
from features.days import due
from features.engine import connect
from features.item_history import item_versions
from infra.partitions import Span
from infra.settings import Settings, load_settings

pytestmark = pytest.mark.thorough  # seconds in sum

DAY = date(2010, 1, 30)
SPAN = Span(DAY, DAY + timedelta(days=3))
HOUR = 3_600_000_000


@pytest.fixture
def seen(settings: Settings, shop_of: Any, event_of: Any) -> Any:
    """Publish rows (day, hour, id, and what differs) and read who did what: event id -> user."""

    def read(*rows: Any, backwards: bool = False) -> dict[str, str | None]:
        shop = load_settings(settings.home, tie_backwards=backwards)
        events = [
            event_of(shop, DAY + timedelta(days=day), hour * HOUR, event_id=name, **{"user_id": None, **more})
            for day, hour, name, more in rows
        ]
        shop_of(shop).publish(SPAN, events)
        with connect(shop) as connection:
            found = behaviour(connection, shop, SPAN, item_versions(connection, shop)).to_pyarrow().to_pylist()
        return {row["event_id"]: row["user_id"] for row in found}

    return read


def guest(session: str | None = "s") -> dict[str, Any]:
    return {"session_id": session}


def login(user: str, session: str = "s") -> dict[str, Any]:
    return {"session_id": session, "user_id": user, "event_type": "login", "item_id": None}


def test_from_the_login_on(seen: Any) -> None:
    found = seen((0, 1, "before", guest()), (0, 2, "login", login("ann")), (0, 3, "after", guest()))
    assert found == {"before": None, "login": "ann", "after": "ann"}


def test_backwards_where_that_is_set(seen: Any) -> None:
    rows = ((0, 1, "before", guest()), (0, 2, "login", login("ann")), (0, 3, "after", guest()))
    assert seen(*rows, backwards=True) == {"before": "ann", "login": "ann", "after": "ann"}


def test_another_session_stays_a_guests(seen: Any) -> None:
    found = seen((0, 2, "login", login("ann")), (0, 3, "other", guest("t")), (0, 4, "none", guest(None)))
    assert found == {"login": "ann", "other": None, "none": None}


def test_whoever_logged_in_last_it_is(seen: Any) -> None:
    rows = [(0, 1, "early", guest()), (0, 2, "a", login("ann")), (0, 3, "hers", guest())]
    rows += [(0, 4, "b", login("bob")), (0, 5, "his", guest())]
    assert seen(*rows, backwards=True) == {"early": "ann", "a": "ann", "hers": "ann", "b": "bob", "his": "bob"}


def test_a_tie_holds_over_midnight_and_no_longer(seen: Any) -> None:
    rows = [(0, 23, "login", login("ann")), (1, 1, "next", guest()), (2, 1, "later", guest())]
    assert seen(*rows) == {"login": "ann", "next": "ann", "later": None}


def test_a_named_user_stays_who_he_is(seen: Any) -> None:
    assert seen((0, 2, "login", login("ann")), (0, 3, "bob", {**guest(), "user_id": "bob"}))["bob"] == "bob"


rows = st.lists(
    st.tuples(
        st.integers(0, 2), st.integers(0, 23), st.sampled_from(["s", "t"]), st.sampled_from([None, None, "ann", "bob"])
    ),
    max_size=12,
    unique_by=lambda row: (row[0], row[1], row[2]),
)


@searching(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(log=rows, backwards=st.booleans())
def test_any_log(seen: Any, log: list[Any], backwards: bool) -> None:
    """Against the rule, applied to one row at a time."""
    given_rows = [
        (day, hour, str(number), login(user, session) if user else guest(session))
        for number, (day, hour, session, user) in enumerate(log)
    ]
    wanted: dict[str, str | None] = {}
    for number, (day, hour, session, user) in enumerate(log):
        logins = sorted((d, h, u) for d, h, s, u in log if u and s == session)
        after = [u for d, h, u in logins if (d, h) <= (day, hour) and day - d <= 1]
        before = [u for d, h, u in logins if (d, h) > (day, hour) and d - day <= 1]
        wanted[str(number)] = user or (after or [None])[-1] or ((before or [None])[0] if backwards else None)
    assert seen(*given_rows, backwards=backwards) == wanted


def test_a_tied_guest_has_the_users_features(settings: Settings, shop_of: Any, event_of: Any) -> None:
    shop = shop_of(settings)
    events = [event_of(settings, DAY, hour * HOUR, event_id=str(hour), user_id=None, session_id="s") for hour in (1, 3)]
    events.append(event_of(settings, DAY, 2 * HOUR, event_id="login", **login("ann")))
    shop.publish(SPAN, events)
    build(settings, SPAN)
    [row] = shop.rows("user_windows", SPAN)[DAY]
    assert (row["user_id"], row["view_count_1d"]) == ("ann", 1)


def test_backwards_a_day_is_built_again_when_the_next_one_names_its_guests(
    settings: Settings, shop_of: Any, event_of: Any
) -> None:
    back = load_settings(settings.home, tie_backwards=True)
    shop = shop_of(back)
    first, second = Span.of_day(DAY), Span.of_day(DAY + timedelta(days=1))
    shop.publish(first, [event_of(back, DAY, 23 * HOUR, event_id="guest", user_id=None, session_id="s")])
    build(back, due(back, first))
    assert shop.versions("user_windows", DAY) == []
    shop.publish(second, [event_of(back, second.start, HOUR, event_id="login", **login("ann"))], delivery="d2")
    build(back, due(back, second))
    [row] = shop.versions("user_windows", DAY)
    assert row["user_id"] == "ann"
    known = {row["created_timestamp"] for row in shop.rows("user_windows", second)[second.start]}
    assert {row["created_timestamp"]} == known  # nobody could know before the second day was delivered
