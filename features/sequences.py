"""The last events of a user, oldest first, as of the end of each day on which there was one."""

from __future__ import annotations

from typing import Final

import ibis
from ibis import _

from features.behaviour import OCCURRED_US, ORDER
from features.decay import MINUTE_US
from features.engine import DAY, Table
from features.events.schema import CATEGORY, DWELL_MS, EVENT_TYPE, ITEM_ID, USER_ID
from features.views import SEQUENCED

#: Which column of an event each list holds.
LISTS: Final = {
    "sequence_items": ITEM_ID,
    "sequence_categories": CATEGORY,
    "sequence_types": EVENT_TYPE,
    "sequence_times_us": OCCURRED_US,
    "sequence_dwell_ms": DWELL_MS,
    "sequence_gaps_us": "gap_us",
    "sequence_session_starts": "session_start",
}
_TIMES: Final = "sequence_times_us"
_PLACE: Final = "place"
_PAST: Final = "past"


def sequenced(events: Table) -> Table:
    """The events of known users that their sequences keep."""
    return events.filter(_[USER_ID].notnull(), _[ITEM_ID].notnull(), _[EVENT_TYPE].isin(SEQUENCED))


def user_sequence(events: Table, states: Table, length: int, session_minutes: int) -> Table:
    """Rows of the view ``user_sequence`` with their ``day``.

    Every event has a place in its user's sequence: 1, 2, … within the span, 0, -1, … before it. A row
    holds the ``length`` places up to the day's last one.
    """
    of_user = ibis.window(group_by=USER_ID, order_by=ORDER)
    placed = sequenced(events).mutate(
        **{_PLACE: ibis.row_number().over(of_user) + 1, _PAST: _[OCCURRED_US].lag().over(of_user)}
    )
    placed = _paused(placed, states, session_minutes * MINUTE_US)
    wanted = _wanted(placed, states, length)
    known = placed.select(USER_ID, _PLACE, *LISTS.values()).union(_before(states))
    return (
        wanted.inner_join(known, (USER_ID, _PLACE))
        .group_by(USER_ID, DAY)
        .agg(**{name: _[column].collect(order_by=_PLACE) for name, column in LISTS.items()})
    )


def _paused(placed: Table, states: Table, session_us: int) -> Table:
    """``placed`` with the time since the event before, and whether a session begins; the first of all begins one."""
    ends = states.select(_user=_[USER_ID], _ended=_[_TIMES][_[_TIMES].length() - 1])
    joined = placed.left_join(ends, placed[USER_ID] == ends["_user"])
    gap = _[OCCURRED_US] - ibis.coalesce(_[_PAST], _["_ended"])
    begins = (gap >= session_us).fill_null(True).cast("int64")
    return joined.mutate(gap_us=gap.fill_null(0), session_start=begins).drop("_user", "_ended", _PAST)


def _wanted(placed: Table, states: Table, length: int) -> Table:
    """The places of every row: user, day, place. None lies before the first that the user has: most have few events."""
    first = states.select(_user=_[USER_ID], _first=1 - _[_TIMES].length())
    last = placed.group_by(USER_ID, DAY).agg(last=_[_PLACE].max())
    known = last.left_join(first, last[USER_ID] == first["_user"]).select(USER_ID, DAY, "last", "_first")
    since = ibis.greatest(known.last - length + 1, known["_first"].fill_null(1))
    return known.select(USER_ID, DAY, **{_PLACE: ibis.range(since, known.last + 1).unnest()})


def _before(states: Table) -> Table:
    """The events that the last rows before the span hold, at places up to 0."""
    first, *others = (states[name] for name in LISTS)
    places = ibis.range(1 - first.length(), ibis.literal(1, "int64"))
    parts = states.select(USER_ID, part=first.zip(*others, places).unnest())
    fields = {column: _.part[f"f{at}"] for at, column in enumerate(LISTS.values(), start=1)}
    return parts.select(USER_ID, **{_PLACE: _.part[f"f{len(LISTS) + 1}"]}, **fields)
