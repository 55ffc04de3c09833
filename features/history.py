"""Which items a user wanted, how often and how lately, as of the end of each day with an interaction.

Only the ``limit`` items wanted last are kept. An item that fell out and is wanted again starts anew,
exactly as when day follows day; items keep their order by time whether they fell out or not, so it is
enough to rank all of them at every day's end and to count from where an item was last missing.
"""

from __future__ import annotations

from typing import Final

import ibis
from ibis import _

from features.behaviour import OCCURRED_US, ORDER
from features.decay import MINUTE_US
from features.engine import DAY, Column, Table
from features.events.schema import EVENT_TYPE, ITEM_ID, USER_ID
from features.interest import wanted
from features.rhythm import DAY_MINUTES, VISIT_US

TIMES: Final = "times"
PURCHASES: Final = "purchases"
FIRST_US: Final = "first_us"
LAST_US: Final = "last_us"
VISITS: Final = "visits"
MINUTES: Final = "minutes"
SQUARES: Final = "squares"
GAP_DAYS: Final = "gap_days"
SPREAD_DAYS: Final = "gap_spread_days"

LISTS: Final = {
    "history_items": ITEM_ID,
    "history_times": TIMES,
    "history_purchases": PURCHASES,
    "history_last_us": LAST_US,
    "history_visits": VISITS,
    "history_gap_days": GAP_DAYS,
    "history_gap_spread_days": SPREAD_DAYS,
}
_KEY: Final = (USER_ID, ITEM_ID)
_SUMS: Final = (TIMES, PURCHASES, VISITS, MINUTES, SQUARES)
_COLUMNS: Final = (*_KEY, DAY, *_SUMS, FIRST_US, LAST_US)
_BEFORE: Final = ibis.date(1, 1, 1)
#: Rows in order of their day, what the user brought along first.
_FIRST_BEFORE: Final = ibis.asc(DAY, nulls_first=True)


def user_items(events: Table, states: Table, limit: int) -> Table:
    """Rows of the view ``user_items`` with their ``day``.

    Args:
        events: ``behaviour`` of the span.
        states: the last row before the span of each user in it, where there is one.
        limit: items kept.
    """
    daily, before = _daily(wanted(events)), _before(states)
    parts = _grid(daily, before)
    crowded = _items(daily, before).group_by(USER_ID).agg(items=_.count()).filter(_["items"] > limit)
    few = _counted(parts.anti_join(crowded, USER_ID), _KEY)
    many = _kept(parts.semi_join(crowded, USER_ID), limit)
    newest = (ibis.desc(LAST_US), ibis.asc(ITEM_ID))
    rows = few.union(many).filter(_[DAY].notnull()).group_by(USER_ID, DAY)
    return rows.agg(**{name: _[column].collect(order_by=newest) for name, column in LISTS.items()})


def _daily(events: Table) -> Table:
    """What each day adds: user, item, day, interactions, purchases, first and last moment, and what ``_visited``
    says of visits that began on it after another one on it.
    """
    within = ibis.window(group_by=(*_KEY, DAY), order_by=ORDER)
    paused = events.mutate(pause=_[OCCURRED_US] - _[OCCURRED_US].lag().over(within))
    visited = paused.mutate(**_visited(_.pause))
    return visited.group_by(*_KEY, DAY).agg(
        **{TIMES: _.count(), PURCHASES: (_[EVENT_TYPE] == "purchase").sum()},
        **{name: _[name].sum() for name in (VISITS, MINUTES, SQUARES)},
        **{FIRST_US: _[OCCURRED_US].min(), LAST_US: _[OCCURRED_US].max()},
    )


def _visited(pause: Column) -> dict[str, Column]:
    """Whether a visit begins after a pause, and what it adds to the minutes between visits and to their squares."""
    begins = (pause >= VISIT_US).fill_null(False)
    minutes = begins.ifelse(pause // MINUTE_US, 0)
    return {VISITS: begins.cast("int64"), MINUTES: minutes, SQUARES: minutes * minutes}


def _before(states: Table) -> Table:
    """The items that the last rows before the span hold; their day is null."""
    first, *others = (states[name] for name in LISTS)
    parts = states.select(USER_ID, part=first.zip(*others).unnest())
    fields = {column: _.part[f"f{at}"] for at, column in enumerate(LISTS.values(), start=1)}
    kept = parts.select(USER_ID, **fields)
    # the sums that mean and spread were made from: features.rhythm.Rhythm.sums
    scale = ibis.greatest(_[VISITS] - 1, 1) * float(DAY_MINUTES)
    minutes = kept.mutate(**{MINUTES: (_[GAP_DAYS] * scale).round().cast("int64")}, deviation=_[SPREAD_DAYS] * scale)
    whole = _[MINUTES].cast("float64")
    squares = (_.deviation * _.deviation + whole * whole) / ibis.greatest(_[VISITS] - 1, 1)
    known = minutes.mutate(**{SQUARES: squares.round().cast("int64"), FIRST_US: ibis.null("int64")})
    return known.mutate(**{DAY: ibis.null("date")}).select(*_COLUMNS)


def _items(daily: Table, before: Table) -> Table:
    """Every user's items with the day from which on they are known; those from before are always."""
    known = daily.select(*_KEY, DAY).union(before.select(*_KEY, DAY))
    return known.group_by(*_KEY).agg(since=_[DAY].fill_null(_BEFORE).min())


def _grid(daily: Table, before: Table) -> Table:
    """Every active day of a user by every item that it has wanted by then, and the items from before."""
    active = daily.select(USER_ID, DAY).distinct()
    days = active.inner_join(_items(daily, before), USER_ID).filter(_.since <= _[DAY]).drop("since")
    added = days.left_join(daily, (*_KEY, DAY)).select(*_COLUMNS)
    return added.union(before.select(*_COLUMNS))


def _counted(parts: Table, group: tuple[str, ...]) -> Table:
    """Sums, last moment and rhythm so far within ``group``."""
    so_far = ibis.cumulative_window(group_by=group, order_by=_FIRST_BEFORE)
    earlier = ibis.window(group_by=group, order_by=_FIRST_BEFORE, preceding=(None, 1))
    paused = parts.mutate(pause=_[FIRST_US] - _[LAST_US].max().over(earlier))
    added = _visited(_.pause)
    added[VISITS] = (_[FIRST_US].notnull() & (_.pause.isnull() | (_.pause >= VISIT_US))).cast("int64")
    whole = paused.mutate(**{name: _[name].fill_null(0) + value for name, value in added.items()})
    sums = whole.select(
        *_KEY,
        DAY,
        **{name: _[name].fill_null(0).cast("float64").sum().over(so_far).cast("int64") for name in _SUMS},
        **{LAST_US: _[LAST_US].max().over(so_far)},
    )
    gaps = ibis.greatest(_[VISITS] - 1, 1)
    days = (gaps * DAY_MINUTES).cast("float64")
    spread = (gaps * _[SQUARES] - _[MINUTES] * _[MINUTES]).cast("float64").sqrt()
    return sums.mutate(**{GAP_DAYS: _[MINUTES] / days, SPREAD_DAYS: spread / days}).drop(MINUTES, SQUARES)


def _kept(parts: Table, limit: int) -> Table:
    """``_counted`` for users with more items than are kept: the latest ones of each day's end."""
    by_item = ibis.window(group_by=_KEY, order_by=_FIRST_BEFORE)
    so_far = ibis.cumulative_window(group_by=_KEY, order_by=_FIRST_BEFORE)
    of_day = ibis.window(group_by=(USER_ID, DAY), order_by=(ibis.desc("latest"), ibis.asc(ITEM_ID)))
    parts = parts.mutate(latest=_[LAST_US].max().over(so_far))
    parts = parts.mutate(present=(ibis.row_number().over(of_day) < limit) | _[DAY].isnull())
    parts = parts.mutate(was_present=_.present.lag().over(by_item).fill_null(True))
    parts = parts.mutate(anew=(_[TIMES].notnull() & ~_.was_present).cast("int64"))
    lives = parts.mutate(life=_.anew.sum().over(so_far))
    counted = _counted(lives, (*_KEY, "life"))
    return counted.semi_join(parts.filter(_.present), (*_KEY, DAY))
