"""What a late delivery changes of rows that were known: those that are others, and those that are no longer there."""

from __future__ import annotations

from datetime import date, timedelta
from functools import reduce
from operator import or_
from typing import Final

import ibis
from ibis import _

from features.chain import states_before
from features.engine import Column, Connection, Table, stored
from features.files import read_files
from features.knowledge import Pass
from features.versions import files_of, known_by, newest, told_by
from features.view import EVENT_TIMESTAMP, Feature, View
from infra.lake import Lake
from infra.partitions import Span

_AT: Final = "at"


def changed(
    connection: Connection, lake: Lake, view: View, rows: Table, days: Table, revised: list[date], one: Pass
) -> Table:
    """Those of ``rows`` that are others than what was known before the late delivery of a pass.

    A row that was known and is no longer there (a late login gave a guest's events to somebody else) becomes one
    that says what held then: the row before it, or nothing.

    Args:
        rows: the view's columns with ``day``; those of days that were not known before are left as they are.
        days: ``features.versions.moments`` of the pass.
        revised: the days whose rows were known before.
    """
    span = Span(revised[0], revised[-1] + timedelta(days=1))
    before_us = (one.late_us or 0) - 1
    files = told_by(files_of(lake, view.name, span), before_us)
    known = known_by(read_files(connection, files, view.schema), before_us)
    before = stored(connection, newest(known, view.entity, EVENT_TIMESTAMP))
    others = _others(rows, before, view)
    gone = stored(
        connection, before.anti_join(rows, (view.entity, EVENT_TIMESTAMP)).select(view.entity, EVENT_TIMESTAMP)
    )
    if gone.count().to_pyarrow().as_py() == 0:
        return others
    states = states_before(connection, lake, view, one.span.start, gone.select(view.entity).distinct(), one.as_of_us)
    carried = _carried(gone, rows.select(*view.schema.names).union(states.select(*view.schema.names)), view)
    return others.union(carried.inner_join(days, EVENT_TIMESTAMP).select(*rows.columns))


def _others(rows: Table, before: Table, view: View) -> Table:
    was = before.select(**{f"was_{name}": _[name] for name in (view.entity, EVENT_TIMESTAMP, *view.columns)})
    same = (rows[view.entity] == was[f"was_{view.entity}"], rows[EVENT_TIMESTAMP] == was[f"was_{EVENT_TIMESTAMP}"])
    joined = rows.left_join(was, same)
    differs = reduce(or_, (_differs(joined, feature) for feature in view.features))
    return joined.filter(joined[f"was_{view.entity}"].isnull() | differs).select(*rows.columns)


def _differs(joined: Table, feature: Feature) -> Column:
    now, was = joined[feature.name], joined[f"was_{feature.name}"]
    if feature.kind == "list<float64>":
        now, was = now.sums(), was.sums()
    if feature.kind in ("float64", "list<float64>"):
        return (now - was).abs() > feature.agree * ibis.greatest(now.abs(), was.abs(), 1.0)
    return ~now.identical_to(was)


def _carried(gone: Table, rows: Table, view: View) -> Table:
    """For each entity and T of ``gone`` the columns of the last row before T; without one, zeros and empty lists."""
    held = rows.select(*view.columns, held_by=_[view.entity], held_since=_[EVENT_TIMESTAMP])
    earlier = (gone[view.entity] == held["held_by"], gone[EVENT_TIMESTAMP] > held["held_since"])
    latest = ibis.window(group_by=(view.entity, EVENT_TIMESTAMP), order_by=ibis.desc("held_since"))
    found = gone.left_join(held, earlier).mutate(**{_AT: ibis.row_number().over(latest)}).filter(_[_AT] == 0)
    nothing = {feature.name: _filled(found[feature.name], feature) for feature in view.features}
    return found.select(view.entity, EVENT_TIMESTAMP, **nothing)


def _filled(column: Column, feature: Feature) -> Column:
    empty = ibis.literal([], column.type()) if feature.kind.startswith("list") else ibis.literal(0, column.type())
    return column.fill_null(empty)
