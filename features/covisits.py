"""The rows of the view ``item_covisits``: which items were wanted in the same baskets as an item in the longest window.

Counts of the window are sums of what enters on a day and leaves so many days later, as in ``features.windows``, and
stay the same until the next such day. So of every item and pair there is a count for each stretch of days, and a row
of an item takes the pairs whose stretch holds its day. It falls on the days on which baskets with the item enter or
leave: between them no pair of it changes; its lifts are those of the row's day.

``lift = both * all / (one * other)``: how many times as often as by chance two items were in one basket (Brin, Motwani,
Ullman and Tsur, 1997, "interest").
"""

from __future__ import annotations

from typing import Final

import ibis
import pyarrow as pa
from ibis import _

from features.baskets import KINDS, WITH_ID, count_column
from features.engine import DAY, Column, Connection, Table, stored, table_of
from features.events.schema import ITEM_ID
from features.views import COVISITED, COVISITED_AT_LEAST, covisit_column
from features.windows import later
from infra.partitions import Span

_SINCE: Final = "since"
_UNTIL: Final = "until"
_ALONE: Final = ""
_COUNTS: Final = tuple(count_column(kind) for kind in KINDS)
_EVER: Final = ibis.date(9999, 12, 31)


def covisits(connection: Connection, daily: Table, span: Span, days: int) -> Table:
    """Rows of the view with their ``day``.

    Args:
        daily: baskets (``features.baskets``) of ``span`` and of the ``days`` days before it.
        days: the window's length.
    """
    stretches = stored(connection, _stretches(daily, days))
    pairs = stretches.filter(_[WITH_ID] != _ALONE)
    items = stretches.filter(_[WITH_ID] == _ALONE, _[ITEM_ID] != _ALONE)
    whole = stretches.filter(_[ITEM_ID] == _ALONE)
    due = items.filter(_[_SINCE] >= span.start, _[_SINCE] < span.end).select(
        ITEM_ID, **{DAY: _[_SINCE]}, **{f"one_{name}": _[name] for name in _COUNTS}
    )
    # on a day on which baskets with some item enter or leave, so they do among all
    totals = whole.select(**{DAY: _[_SINCE]}, **{f"all_{name}": _[name] for name in _COUNTS})
    due = stored(connection, due.inner_join(totals, DAY))
    best = stored(connection, _best(due, pairs))
    beside = _on_days(connection, items, span)
    with_others = best.left_join(beside, ((best[WITH_ID] == beside["other"]), (best[DAY] == beside["other_day"])))
    return _lists(due, with_others)


def _stretches(daily: Table, days: int) -> Table:
    """Counts of the window by item and pair, each from a day on which it changes until the next one."""
    leaving = daily.mutate(**{DAY: later(_[DAY], days)}, **{name: -_[name] for name in _COUNTS})
    moves = daily.union(leaving.select(*daily.columns)).group_by(ITEM_ID, WITH_ID, DAY)
    changes = moves.agg(**{name: _[name].sum().cast("float64") for name in _COUNTS})
    by_day = ibis.window(group_by=(ITEM_ID, WITH_ID), order_by=DAY)
    until_now = ibis.cumulative_window(group_by=(ITEM_ID, WITH_ID), order_by=DAY)
    return changes.select(
        ITEM_ID,
        WITH_ID,
        **{_SINCE: _[DAY], _UNTIL: _[DAY].lead().over(by_day).fill_null(_EVER)},
        **{name: _[name].sum().over(until_now).cast("int64") for name in _COUNTS},
    )


def _best(due: Table, pairs: Table) -> Table:
    """Of each item and day the pairs that count, with their places by how often; those of no kind are left out."""
    often = pairs.filter(ibis.or_(*(_[name] >= COVISITED_AT_LEAST for name in _COUNTS))).rename({"item": ITEM_ID})
    holds = (due[ITEM_ID] == often["item"], due[DAY] >= often[_SINCE], due[DAY] < often[_UNTIL])
    found = due.inner_join(often, holds).drop("item", _SINCE, _UNTIL)
    ranked = found.mutate(**{_place(kind): _rank(count_column(kind)) for kind in KINDS})
    return ranked.filter(ibis.or_(*(_[_place(kind)] < COVISITED for kind in KINDS)))


def _rank(count: str) -> Column:
    order = (ibis.desc(count), ibis.asc(WITH_ID))
    return ibis.row_number().over(ibis.window(group_by=(ITEM_ID, DAY), order_by=order))


def _place(kind: str) -> str:
    return f"{kind}_place"


def _on_days(connection: Connection, items: Table, span: Span) -> Table:
    """In how many baskets of the window each item is, on every day of the span."""
    days = table_of(connection, pa.table({"other_day": pa.array(list(span.days()), pa.date32())}))
    counts = items.filter(_[_UNTIL] > span.start, ibis.or_(*(_[name] > 0 for name in _COUNTS)))
    named = counts.select(_SINCE, _UNTIL, other=_[ITEM_ID], **{f"other_{name}": _[name] for name in _COUNTS})
    holds = (named[_SINCE] <= days["other_day"], named[_UNTIL] > days["other_day"])
    return named.inner_join(days, holds).drop(_SINCE, _UNTIL)


def _lists(due: Table, pairs: Table) -> Table:
    """A row for every item and day that is due; one without pairs has empty lists."""
    lists = {}
    for kind in KINDS:
        name = count_column(kind)
        kept = (_[_place(kind)] < COVISITED) & (_[name] >= COVISITED_AT_LEAST)
        lift = (_[name] * _[f"all_{name}"]) / (_[f"one_{name}"] * _[f"other_{name}"])
        values = {"items": _[WITH_ID], "counts": _[name], "lifts": lift}
        for column, value in values.items():
            lists[covisit_column(kind, column)] = value.collect(where=kept, order_by=_[_place(kind)])
    found = pairs.group_by(ITEM_ID, DAY).agg(**lists)
    rows = due.select(ITEM_ID, DAY).left_join(found, (ITEM_ID, DAY)).select(ITEM_ID, DAY, *lists)
    types = found.schema()
    return rows.mutate(**{name: ibis.coalesce(_[name], ibis.literal([], type=types[name])) for name in lists})
