"""Counts over the windows ``[T-w, T)``, T the end of a closed day, for any entity of the tiles.

An event counts from its own day on and stops ``w`` days later, so with sums over all days up to one's own a
window is a difference: what had entered by T less what had entered by T-w. A distinct count works likewise
on the days on which a pair (user, item) was seen: it enters where it was absent for ``w`` days and leaves ``w``
days after it was last seen before being absent so long. Every sum is of integers, so the order of work is free,
and a row falls exactly on the days on which something enters or leaves.

The work is ordered so that little of it is wide: pairs are counted by entity, type and day first, then a day's
types are put side by side and summed up; the days on which something leaves only look these sums up.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import ibis
from ibis import _

from features.counted import IN, LATEST, OUT, Counted
from features.engine import DAY, Column, Connection, Table, stored
from features.events.schema import EVENT_TYPE
from infra.partitions import Span


def windows(connection: Connection, tiles: Table, counted: Counted, span: Span) -> Table:
    """A row for each entity and day of ``span`` on which a window's content changed.

    Args:
        tiles: of the span and of as many days before it as the longest window has.

    Returns:
        entity, ``day``, every window of ``counted`` (zero where a behaviour does not occur at all), and of each
        behaviour its last moment, ``<behaviour>_latest``.
    """
    typed = tiles.filter(_[EVENT_TYPE].isin(tuple(counted.measures)))
    by_type = stored(connection, _by_type(typed, counted))
    seen = set(by_type.select(EVENT_TYPE).distinct().to_pyarrow()[EVENT_TYPE].to_pylist())
    behaviours = [behaviour for behaviour in counted.measures if behaviour in seen]
    by_day = stored(connection, _side_by_side(tiles, by_type, counted, behaviours))
    so_far = stored(connection, _so_far(by_day, counted, behaviours))
    due = stored(connection, _due(by_day, counted).filter(_[DAY] >= span.start, _[DAY] < span.end))
    return _differences(due, so_far, counted, behaviours)


def _by_type(tiles: Table, counted: Counted) -> Table:
    """What each entity did on each day, by type: sums, last moment, pairs that enter and that leave."""
    keys = (counted.entity, EVENT_TYPE, DAY)
    sums = {measure: _[column].sum() for measure, column in counted.sums.items()}
    table = tiles.group_by(*keys).agg(**sums, **{LATEST: _[counted.latest].max()})
    for measure, column in counted.distincts.items():
        pairs = _pairs(tiles, keys, measure, column, counted.lengths[measure])
        table = table.left_join(pairs, keys, rname="r_{name}").drop(*(f"r_{key}" for key in keys))
    return table


def _pairs(tiles: Table, keys: Sequence[str], measure: str, column: str, lengths: Sequence[int]) -> Table:
    """How many values of ``column`` enter each window on a day, and how many leave it ``w`` days after that day."""
    entity, kind, day = keys
    seen = tiles.filter(_[column].notnull()).select(entity, kind, column, day).distinct()
    order = ibis.window(group_by=(entity, kind, column), order_by=day)
    absent, until = _days(_[day].lag().over(order), _[day]), _days(_[day], _[day].lead().over(order))
    gaps = seen.select(*keys, absent=absent, until=until)
    entering = {f"{measure}_{IN}_{days}": _.count(where=_.absent.fill_null(days) >= days) for days in lengths}
    leaving = {f"{measure}_{OUT}_{days}": _.count(where=_.until.fill_null(days) >= days) for days in lengths}
    return gaps.group_by(*keys).agg(**entering, **leaving)


def _side_by_side(tiles: Table, by_type: Table, counted: Counted, behaviours: Sequence[str]) -> Table:
    """One row an entity and day, with the values of every type in columns of their own."""
    key = (counted.entity, DAY)
    table = tiles.group_by(*key).agg(**counted.of_all) if counted.of_all else tiles.select(*key).distinct()
    for behaviour in behaviours:
        values = {f"{behaviour}_{name}": _[name] for name in by_type.columns if name not in (*key, EVENT_TYPE)}
        part = by_type.filter(by_type[EVENT_TYPE] == behaviour).select(*key, **values)
        table = table.left_join(part, key, rname="r_{name}").drop(*(f"r_{name}" for name in key))
    return table


def _so_far(by_day: Table, counted: Counted, behaviours: Sequence[str]) -> Table:
    """Of each active day what it adds to windows of one day, and sums up to it of what enters and leaves others."""
    until_now = ibis.cumulative_window(group_by=counted.entity, order_by=DAY)
    longer = [window for window in counted.windows(behaviours) if window.days > 1]
    summed = {counted.source(window, way) for window in longer for way in (IN, OUT)}
    of_one = {counted.source(window, IN) for window in counted.windows(behaviours) if window.days == 1}
    # in double precision: exact up to 2^53, and twice as fast as integers, which DuckDB sums in 128 bits
    return by_day.select(
        counted.entity,
        DAY,
        **{name: _[name].fill_null(0) for name in sorted(of_one)},
        **{_sum(name): _[name].fill_null(0).cast("float64").sum().over(until_now) for name in sorted(summed)},
        **{_latest(behaviour): _[_latest(behaviour)].max().over(until_now) for behaviour in behaviours},
    )


def _due(by_day: Table, counted: Counted) -> Table:
    """The days on which something enters or leaves, each with the last day that has left each window by then.

    Columns: entity, ``day``, and by length (0: has entered) the last day that is so long ago, null without one.
    """
    lengths = (0, *counted.leaving)
    parts = []
    for length in lengths:
        marks = {_mark(other): _[DAY] if other == length else ibis.null("date") for other in lengths}
        parts.append(by_day.select(counted.entity, **{DAY: later(_[DAY], length)}, **marks))
    union = reduce(lambda one, other: one.union(other), parts)
    days = union.group_by(counted.entity, DAY).agg(**{_mark(length): _[_mark(length)].max() for length in lengths})
    until_now = ibis.cumulative_window(group_by=counted.entity, order_by=DAY)
    return days.mutate(**{_mark(length): _[_mark(length)].max().over(until_now) for length in lengths})


def _differences(due: Table, so_far: Table, counted: Counted, behaviours: Sequence[str]) -> Table:
    """Every window on every day that is due: what has entered less what has left."""
    windows = list(counted.windows(behaviours))
    table = _looked_up(due, so_far, counted.entity, 0)
    for length in counted.leaving:
        names = {_sum(counted.source(window, OUT)) for window in windows if window.days == length > 1}
        if names:
            table = _looked_up(table, so_far.select(counted.entity, DAY, *sorted(names)), counted.entity, length)
    columns = {window.column: ibis.literal(0, "int64") for window in counted.windows(list(counted.measures))}
    for window in windows:
        entered, left = counted.source(window, IN), f"{_sum(counted.source(window, OUT))}_{window.days}"
        if window.days == 1:
            columns[window.column] = (_[_mark(0)] == _[DAY]).ifelse(_[f"{entered}_0"], 0)
        else:
            columns[window.column] = (_[f"{_sum(entered)}_0"] - _[left].fill_null(0.0)).cast("int64")
    moments = {
        _latest(behaviour): _[f"{_latest(behaviour)}_0"] if behaviour in behaviours else ibis.null("int64")
        for behaviour in counted.measures
    }
    return table.select(counted.entity, DAY, **columns, **moments)


def _looked_up(due: Table, sums: Table, entity: str, length: int) -> Table:
    """``due`` with the columns of ``sums`` on the day that it names for a length, ``<column>_<length>``."""
    columns = {f"{name}_{length}": _[name] for name in sums.columns if name not in (entity, DAY)}
    found = sums.select(_entity=_[entity], _day=_[DAY], **columns)
    same = (due[entity] == found["_entity"], due[_mark(length)] == found["_day"])
    return due.left_join(found, same).drop("_entity", "_day")


def _sum(name: str) -> str:
    return f"sum_{name}"


def _latest(behaviour: str) -> str:
    return f"{behaviour}_{LATEST}"


def _mark(length: int) -> str:
    return f"d{length}"


def later(day: Column, days: int) -> Column:
    """The date ``days`` days after ``day``."""
    # DuckDB makes a timestamp of date + interval, which Ibis takes for a date
    return (day + ibis.interval(days=days)).cast("timestamp").cast("date")


def _days(earlier: Column, later: Column) -> Column:
    return later.epoch_days() - earlier.epoch_days()
