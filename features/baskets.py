"""Which items are wanted together: by session and by day, how many baskets hold an item, and how many two of them.

A basket is what one user (or guest) showed interest in on a day, or in one session of it: a run of events without a
pause of ``session_minutes``, cut at the day's end. Of a larger basket only the first ``basket_items`` items count: who
orders by the hundred says little about what goes together, and pairs grow with the square. Bots have no baskets.
"""

from __future__ import annotations

from functools import reduce
from typing import Final

import ibis
import pyarrow as pa
from ibis import _

from features.behaviour import OCCURRED_US, ORDER
from features.daily import Daily
from features.decay import MINUTE_US
from features.engine import DAY, Table
from features.events.schema import EVENT_TYPE, IS_BOT, ITEM_ID, SESSION_ID, USER_ID
from features.tiles import of_guests
from features.window_views import INTERACTIONS
from infra.settings import Settings

#: The item beside it; empty: baskets with the item, whatever else they hold. Both empty: all baskets.
WITH_ID: Final = "with_id"
SESSION: Final = "session"
KINDS: Final = (SESSION, DAY)
_RUN: Final = "run"
_BASKET: Final = (USER_ID, SESSION_ID, _RUN, DAY)
_PLACE: Final = "place"


def count_column(kind: str) -> str:
    return f"{kind}_baskets"


SCHEMA: Final = pa.schema(
    [
        pa.field(ITEM_ID, pa.string()),
        pa.field(WITH_ID, pa.string()),
        pa.field(DAY, pa.date32()),
        *(pa.field(count_column(kind), pa.int64()) for kind in KINDS),
    ]
)


def baskets(events: Table, settings: Settings) -> Table:
    """Baskets of each day (columns ``SCHEMA``): by pair of items in both orders, by item, and all of them."""
    of_day = (USER_ID, SESSION_ID, DAY)
    pause = _[OCCURRED_US] - _[OCCURRED_US].lag().over(ibis.window(group_by=of_day, order_by=ORDER))
    begins = (pause >= settings.session_minutes * MINUTE_US).fill_null(True).cast("float64")
    until_now = ibis.cumulative_window(group_by=of_day, order_by=ORDER)
    runs = of_guests(events).mutate(begins=begins).mutate(**{_RUN: _.begins.sum().over(until_now)}).drop("begins")
    known = _[USER_ID].notnull() | _[SESSION_ID].notnull()
    wanted = runs.filter(~_[IS_BOT], _[ITEM_ID].notnull(), _[EVENT_TYPE].isin(INTERACTIONS), known)
    # a join finds no nulls
    who = wanted.mutate(**{name: _[name].fill_null("") for name in (USER_ID, SESSION_ID)})
    of_kind = {SESSION: who, DAY: who.mutate(**{_RUN: ibis.literal(0.0)})}
    parts = [_counted(_kept(rows, settings.basket_items), kind) for kind, rows in of_kind.items()]
    counts = {name: _[name].sum() for name in map(count_column, KINDS)}
    return reduce(lambda one, other: one.union(other), parts).group_by(ITEM_ID, WITH_ID, DAY).agg(**counts)


def _kept(wanted: Table, limit: int) -> Table:
    """The first ``limit`` items of every basket: basket and item."""
    of_item = ibis.window(group_by=(*_BASKET, ITEM_ID), order_by=ORDER)
    of_basket = ibis.window(group_by=_BASKET, order_by=ORDER)
    first = wanted.mutate(**{_PLACE: ibis.row_number().over(of_item)}).filter(_[_PLACE] == 0)
    kept = first.mutate(**{_PLACE: ibis.row_number().over(of_basket)}).filter(_[_PLACE] < limit)
    return kept.select(*_BASKET, ITEM_ID)


def _counted(items: Table, kind: str) -> Table:
    """The baskets of a kind, with zeros for the other."""
    beside = items.rename({WITH_ID: ITEM_ID})
    pairs = items.inner_join(beside, _BASKET).filter(_[ITEM_ID] != _[WITH_ID]).select(ITEM_ID, WITH_ID, DAY)
    alone = items.select(ITEM_ID, DAY, **{WITH_ID: ibis.literal("")}).select(ITEM_ID, WITH_ID, DAY)
    whole = (
        items.select(*_BASKET).distinct().select(**{ITEM_ID: ibis.literal(""), WITH_ID: ibis.literal(""), DAY: _[DAY]})
    )
    counts = {count_column(other): _.count() if other == kind else ibis.literal(0, "int64") for other in KINDS}
    return pairs.union(alone).union(whole).group_by(ITEM_ID, WITH_ID, DAY).agg(**counts)


BASKETS: Final = Daily("baskets", SCHEMA, (ITEM_ID, WITH_ID), baskets)
