"""Decayed interest per category: ``Σ weight · 2^(-age / half-life)`` as of the user's last wanted event.

With ``τ`` the span's first moment, ``2^(-(t - t_e)/h) = 2^(-(t - τ)/h) · 2^((t_e - τ)/h)``: the second
factor does not know ``t``, so strengths are running sums of it over the days, scaled by the first when
a row is written. In double precision the factors hold for about 1000 half-lives, far more than a span
has (``features.build`` cuts long ones).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import ibis
from ibis import _

from features.behaviour import OCCURRED_US, ORDER
from features.decay import DAY_US, DWELL_FULL_MS, DWELL_HALF_MS, WEIGHTS
from features.engine import DAY, Column, Table
from features.events.schema import CATEGORY, DWELL_MS, EVENT_TYPE, ITEM_ID, USER_ID
from features.views import PROFILE_CATEGORIES, interest_column, profile_column

CATEGORIES: Final = "interest_categories"
AS_OF_US: Final = "interest_as_of_us"
FIRST_US: Final = "interest_first_us"
LAST_US: Final = "interest_last_us"
_KEY: Final = (USER_ID, CATEGORY)
_BEFORE: Final = ibis.date(1, 1, 1)


def wanted(events: Table) -> Table:
    """The events of known users that say that they want an item."""
    return events.filter(_[USER_ID].notnull(), _[ITEM_ID].notnull(), _[EVENT_TYPE].isin(tuple(WEIGHTS)))


def user_interest(events: Table, states: Table, origin_us: int, half_life_days: Sequence[int]) -> Table:
    """Rows of the view ``user_interest`` with their ``day``.

    Args:
        events: ``behaviour`` of the span.
        states: the last row before the span of each user in it, where there is one.
        origin_us: the span's first moment, τ.
    """
    columns = {interest_column(days): days for days in half_life_days}
    events = wanted(events)
    added = _added(events, origin_us, columns)
    before = _before(states, origin_us, columns)
    active = events.group_by(USER_ID, DAY).agg(**{AS_OF_US: _[OCCURRED_US].max()})
    sums = _running(_grid(active, added, before), added, before, tuple(columns))
    return _rows(sums, origin_us, columns)


def weight(event_type: Column, dwell_ms: Column) -> Column:
    """``features.decay.weight`` as an expression."""
    known = [(event_type == name, value) for name, value in WEIGHTS.items()]
    rest = (ibis.least(dwell_ms, DWELL_FULL_MS) - DWELL_HALF_MS) / (DWELL_FULL_MS - DWELL_HALF_MS)
    factor = ibis.cases(
        (dwell_ms <= 0, 1.0), (dwell_ms <= DWELL_HALF_MS, 1.0 + 0.5 * dwell_ms / DWELL_HALF_MS), else_=1.5 + 0.5 * rest
    )
    return ibis.cases(*known, else_=0.0) * factor


def _added(events: Table, origin_us: int, columns: Mapping[str, int]) -> Table:
    """What each day adds to each category, as seen from τ."""
    gains = events.mutate(gain=weight(events[EVENT_TYPE], events[DWELL_MS]))
    scaled = gains.mutate(**{name: _.gain * _growth(_[OCCURRED_US], origin_us, days) for name, days in columns.items()})
    # a sum over an ordered list: the order of a plain sum, and so its last bits, would vary from run to run
    return scaled.group_by(*_KEY, DAY).agg(
        **{name: _[name].collect(order_by=ORDER).sums() for name in columns},
        **{FIRST_US: _[OCCURRED_US].min(), LAST_US: _[OCCURRED_US].max()},
    )


def _before(states: Table, origin_us: int, columns: Mapping[str, int]) -> Table:
    """The strengths before the span as seen from τ: user, category, strengths, first and last moment."""
    lists = (*columns, FIRST_US, LAST_US)
    parts = states.select(USER_ID, AS_OF_US, part=states[CATEGORIES].zip(*(states[name] for name in lists)).unnest())
    return parts.select(
        USER_ID,
        **{CATEGORY: _.part.f1},
        **{name: _.part[f"f{len(columns) + place}"] for place, name in enumerate((FIRST_US, LAST_US), start=2)},
        **{
            name: _.part[f"f{place}"] * _growth(_[AS_OF_US], origin_us, days)
            for place, (name, days) in enumerate(columns.items(), start=2)
        },
    )


def _grid(active: Table, added: Table, before: Table) -> Table:
    """Every active day of a user by every category that it has wanted by then: the parts of the rows."""
    known = added.select(*_KEY, DAY).union(before.select(*_KEY, **{DAY: ibis.null("date")}))
    # a category from before the span is there on its first day
    since = known.group_by(*_KEY).agg(since=_[DAY].fill_null(_BEFORE).min())
    return active.inner_join(since, USER_ID).filter(_.since <= _[DAY]).drop("since")


def _running(grid: Table, added: Table, before: Table, names: Sequence[str]) -> Table:
    """Strength of every part of the grid, as seen from τ, its first and its last moment."""
    parts = grid.left_join(added, (*_KEY, DAY), rname="{name}_right").left_join(before, _KEY, rname="{name}_before")
    so_far = ibis.cumulative_window(group_by=_KEY, order_by=DAY)
    return parts.select(
        *_KEY,
        DAY,
        AS_OF_US,
        **{name: _[name].fill_null(0.0).sum().over(so_far) + _[f"{name}_before"].fill_null(0.0) for name in names},
        **{FIRST_US: ibis.coalesce(_[f"{FIRST_US}_before"], _[FIRST_US].min().over(so_far))},
        **{LAST_US: ibis.coalesce(_[LAST_US].max().over(so_far), _[f"{LAST_US}_before"])},
    )


def _rows(sums: Table, origin_us: int, columns: Mapping[str, int]) -> Table:
    faded = sums.mutate(**{name: _[name] * _growth(_[AS_OF_US], origin_us, -days) for name, days in columns.items()})
    ranked = faded.mutate(**{f"place_{days}": _place(name) for name, days in columns.items()})
    lists = {CATEGORIES: CATEGORY, **{name: name for name in (*columns, FIRST_US, LAST_US)}}
    tops = {}
    for name, days in columns.items():
        place = ranked[f"place_{days}"]
        for kept, column in (("categories", CATEGORY), ("shares", name)):
            top = ranked[column].collect(where=place < PROFILE_CATEGORIES, order_by=place)
            tops[profile_column(kept, days)] = top
    rows = ranked.group_by(USER_ID, DAY).agg(
        **{name: _[column].collect(order_by=CATEGORY) for name, column in lists.items()},
        **{AS_OF_US: _[AS_OF_US].max()},
        **tops,
    )
    return rows.mutate(**{name: _share(rows[name]) for name in (profile_column("shares", d) for d in columns.values())})


def _place(name: str) -> Column:
    """The place of a category in its user's row, the strongest first."""
    return ibis.row_number().over(ibis.window(group_by=(USER_ID, DAY), order_by=(ibis.desc(name), ibis.asc(CATEGORY))))


def _share(strengths: Column) -> Column:
    """Strengths by their sum; a list is summed in its order, so that the last bits are always the same."""
    return strengths.map(lambda strength: strength / strengths.sums())


def _growth(moment_us: Column, origin_us: int, days: int) -> Column:
    return 2.0 ** ((moment_us - origin_us) / (days * float(DAY_US)))
