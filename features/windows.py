"""Counts over the windows ``[T-w, T)``, T the end of a closed day, for any entity of the tiles.

An event counts from its own day on and stops ``w`` days later, so with sums over all days up to one's own a
window is a difference: what had entered by T less what had entered by T-w. A distinct count works likewise
on the days on which a pair (user, item) was seen: it enters where it was absent for ``w`` days and leaves ``w``
days after it was last seen before being absent so long. Every sum is of integers, so the order of work is free,
and a row falls exactly on the days on which something enters or leaves.

The work is ordered so that little of it is wide: events are counted and summed up by entity and type first, then
the types are put side by side; the days on which something leaves only look these sums up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import reduce

import ibis
from ibis import _

from features.counted import LATEST, Counted, Window
from features.engine import DAY, Column, Connection, Table, stored
from features.events.schema import EVENT_TYPE
from infra.partitions import Span


def windows(
    connection: Connection, tiles: Table, active: Table, counted: Counted, span: Span, also: Table | None = None
) -> Table:
    """A row for each entity and day of ``span`` on which a window's content changed.

    Args:
        tiles: of the span and of as many days before it as the longest window has.
        active: of the same days each entity's days with anything, and what counts of all types together.
        also: days (entity, ``day``) on which there is a row whatever enters or leaves.

    Returns:
        entity, ``day``, every window of ``counted`` (zero where a behaviour does not occur at all; null on a
        day of ``also`` before which nothing happened), and of each behaviour its last moment, ``<behaviour>_latest``.
    """
    entity = counted.entity
    due = stored(connection, _due(active, counted, span, also))
    if len(span) < max(counted.leaving):  # few of the entities have a row
        tiles, active = tiles.semi_join(due, entity), active.semi_join(due, entity)
    by_type = _by_type(tiles.filter(_[EVENT_TYPE].isin(tuple(counted.measures))), counted)
    so_far = _so_far((entity, EVENT_TYPE), counted.windows_of_a_type())
    typed = stored(connection, by_type.select(entity, EVENT_TYPE, DAY, LATEST, **so_far))
    seen = set(typed.select(EVENT_TYPE).distinct().to_pyarrow()[EVENT_TYPE].to_pylist())
    behaviours = [behaviour for behaviour in counted.measures if behaviour in seen]
    days = stored(connection, _side_by_side(active, typed, counted, behaviours))
    return _differences(due, days, counted, behaviours)


def _due(active: Table, counted: Counted, span: Span, also: Table | None) -> Table:
    """The days on which something enters or leaves, each with the last day that has left each window by then.

    Columns: entity, ``day``, and by length (0: has entered) the last day that is so long ago, null without one.
    """
    lengths = (0, *counted.leaving)
    marks = [_mark(length) for length in lengths if length != 1]  # a window of one day is the day
    parts = []
    for length in lengths:
        left = {mark: _[DAY] if mark == _mark(length) else ibis.null("date") for mark in marks}
        parts.append(active.select(counted.entity, **{DAY: later(_[DAY], length)}, **left))
    if also is not None:
        parts.append(also.select(counted.entity, DAY, **dict.fromkeys(marks, ibis.null("date"))))
    union = reduce(lambda one, other: one.union(other), parts).filter(_[DAY] < span.end)
    days = union.group_by(counted.entity, DAY).agg(**{mark: _[mark].max() for mark in marks})
    return _carried(days, counted.entity, marks).filter(_[DAY] >= span.start)


def _by_type(tiles: Table, counted: Counted) -> Table:
    """What each entity did on each day, by type: sums, last moment, pairs that enter and that leave."""
    keys = (counted.entity, EVENT_TYPE, DAY)
    totals = {measure: _[column].sum() for measure, column in counted.sums.items()}
    gaps: dict[str, Column] = {}
    for measure, column in counted.distincts.items():
        # of several tiles of a pair and day the first has no pause behind it, and the last none before it
        order = ibis.window(group_by=(counted.entity, EVENT_TYPE, column), order_by=DAY)
        absent, until = f"{measure}_absent", f"{measure}_until"
        gaps |= {absent: _days(_[DAY].lag().over(order), _[DAY]), until: _days(_[DAY], _[DAY].lead().over(order))}
        for window in (window for window in counted.windows_of_a_type() if window.measure == measure):
            for name, gap in ((window.entering, absent), (window.leaving, until)):
                totals[name] = _.count(where=_[column].notnull() & (_[gap].fill_null(window.days) >= window.days))
    return tiles.mutate(**gaps).group_by(*keys).agg(**totals, **{LATEST: _[counted.latest].max()})


def _so_far(keys: Sequence[str], windows: Sequence[Window]) -> dict[str, Column]:
    """What a day adds to windows of one day, and the sums up to it of what enters and leaves longer ones."""
    until_now = ibis.cumulative_window(group_by=keys, order_by=DAY)
    kinds = {name: window.kind for window in windows for name in (window.entering, window.leaving)}
    added = {name: _[name].fill_null(0).cast(kinds[name]) for name in _added(windows)}
    # counts in double precision, where they are exact: twice as fast as integers, which DuckDB sums in 128 bits
    exact = {"int32": "float64", "int64": "int64"}
    summed = {name: _[name].fill_null(0).cast(exact[kinds[name]]).sum().over(until_now) for name in _summed(windows)}
    return {**added, **{_sum(name): value.cast(kinds[name]) for name, value in summed.items()}}


def _side_by_side(active: Table, typed: Table, counted: Counted, behaviours: Sequence[str]) -> Table:
    """Of each active day what ``_so_far`` says of all types together, and of each in columns of its own."""
    key = (counted.entity, DAY)
    marks = {_mark(behaviour): _[DAY].max(where=_[EVENT_TYPE] == behaviour) for behaviour in behaviours}
    on_day = typed.group_by(*key).agg(**marks)
    table = active.left_join(on_day, key).select(*active.columns, *marks)
    table = _carried(table.mutate(**_so_far((counted.entity,), counted.windows(""))), counted.entity, marks)
    columns = {name: _[name] for name in _names(counted.windows(""))}
    for behaviour in behaviours:
        one, windows = typed.filter(_[EVENT_TYPE] == behaviour), counted.windows(behaviour)
        own = {name: name.removeprefix(f"{behaviour}_") for name in _names(windows)}
        table = _looked_up(table, counted.entity, behaviour, one, own | {_latest(behaviour): LATEST})
        columns |= {name: _[name].fill_null(0) for name in own} | {_latest(behaviour): _[_latest(behaviour)]}
        columns |= {name: (_[_mark(behaviour)] == _[DAY]).ifelse(_[name], 0) for name in _added(windows)}
    return table.select(*key, **columns)


def _differences(due: Table, so_far: Table, counted: Counted, behaviours: Sequence[str]) -> Table:
    """Every window on every day that is due: what has entered less what has left."""
    entity = counted.entity
    windows = [window for behaviour in (*behaviours, "") for window in counted.windows(behaviour)]
    found = [*_names(windows), *map(_latest, behaviours)]
    table = _looked_up(due, entity, 0, so_far, {name: name for name in found})
    for length in sorted({window.days for window in windows if window.days > 1}):
        left = {_sum(window.leaving) for window in windows if window.days == length}
        table = _looked_up(table, entity, length, so_far, {f"{name}_{length}": name for name in sorted(left)})
    columns = {}
    for behaviour in (*counted.measures, ""):
        for window in counted.windows(behaviour):
            columns[window.column] = _difference(window) if window in windows else ibis.literal(0, window.kind)
    latest = {_latest(one): _[_latest(one)] if one in behaviours else ibis.null("int64") for one in counted.measures}
    return table.select(entity, DAY, **columns, **latest)


def _difference(window: Window) -> Column:
    if window.days == 1:
        return (_[_mark(0)] == _[DAY]).ifelse(_[window.entering], 0)
    return _[_sum(window.entering)] - _[f"{_sum(window.leaving)}_{window.days}"].fill_null(0)


def _carried(days: Table, entity: str, marks: Iterable[str]) -> Table:
    """``days`` with each mark as it was last."""
    until_now = ibis.cumulative_window(group_by=entity, order_by=DAY)
    return days.mutate(**{mark: _[mark].max().over(until_now) for mark in marks})


def _looked_up(table: Table, entity: str, mark: int | str, found: Table, columns: Mapping[str, str]) -> Table:
    """``table`` with columns of the row of ``found`` on the day that the mark names: new names, and their own."""
    whose, on = f"entity_{mark}", f"on_{mark}"
    there = found.select(**{whose: _[entity], on: _[DAY]}, **{new: _[name] for new, name in columns.items()})
    return table.left_join(there, [(entity, whose), (_mark(mark), on)])


def _names(windows: Sequence[Window]) -> list[str]:
    return [*_added(windows), *map(_sum, _summed(windows))]


def _added(windows: Sequence[Window]) -> list[str]:
    return sorted({window.entering for window in windows if window.days == 1})


def _summed(windows: Sequence[Window]) -> list[str]:
    return sorted({name for window in windows if window.days > 1 for name in (window.entering, window.leaving)})


def _sum(name: str) -> str:
    return f"{name}_so_far"


def _latest(behaviour: str) -> str:
    return f"{behaviour}_{LATEST}"


def _mark(of: int | str) -> str:
    return f"day_of_{of}"


def later(day: Column, days: int) -> Column:
    """The date ``days`` days after ``day``."""
    # DuckDB makes a timestamp of date + interval, which Ibis takes for a date
    return (day + ibis.interval(days=days)).cast("timestamp").cast("date")


def _days(earlier: Column, later: Column) -> Column:
    return later.epoch_days() - earlier.epoch_days()
