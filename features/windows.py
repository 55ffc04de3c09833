"""Counts over the windows ``[T-w, T)``, T the end of a closed day, for users and for items.

An event counts from its own day on and stops ``w`` days later, so a window is a running sum of what
enters and leaves: for a tile of day d, +count at d and -count at d+w. A distinct count works likewise
on the days on which a pair (user, item) was seen: it enters where it was absent for ``w`` days and
leaves ``w`` days after it was seen last. Every sum is of integers, so the order of work is free, and a
row falls exactly on the days on which something enters or leaves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import reduce
from typing import Final

import ibis
from ibis import _

from features.behaviour import SPEND
from features.engine import DAY, Column, Connection, Table, stored
from features.events.schema import CATEGORY, DWELL_MS, EVENT_TYPE, IS_BOT, ITEM_ID, USER_ID
from features.tiles import COUNT
from features.views import (
    INTERACTIONS,
    WINDOW_BEHAVIOURS,
    item_window_column,
    measures,
    user_window_column,
)
from infra.partitions import Span

INTERACTION: Final = "interaction"
_USER_SUMS: Final = {"count": COUNT, "spend": SPEND, "dwell": DWELL_MS}
_USER_DISTINCTS: Final = {"items": ITEM_ID, "categories": CATEGORY}


def tiles_needed(span: Span, window_days: Sequence[int]) -> Span:
    """The days whose tiles enter, stay in or leave a window of ``span``."""
    return Span(span.start - timedelta(days=max(window_days)), span.end)


def user_windows(connection: Connection, tiles: Table, span: Span, window_days: Sequence[int]) -> Table:
    """Rows of the view ``user_windows`` with their ``day``, from the tiles of ``tiles_needed``."""
    known = _windowed(tiles).filter(_[USER_ID].notnull())
    changes = _changes(known, USER_ID, _USER_SUMS, _USER_DISTINCTS, window_days)
    columns = {
        user_window_column(behaviour, measure, days): (behaviour, _change(measure, days))
        for behaviour in WINDOW_BEHAVIOURS
        for measure in measures(behaviour)
        for days in window_days
    }
    return _running(connection, changes, USER_ID, columns, span)


def item_windows(connection: Connection, tiles: Table, span: Span, window_days: Sequence[int]) -> Table:
    """Rows of the view ``item_windows`` with their ``day``; guests count, but not as users, and bots do not."""
    seen = _windowed(tiles).filter(~_[IS_BOT])
    any_of = seen.filter(_[EVENT_TYPE].isin(INTERACTIONS)).mutate(**{EVENT_TYPE: ibis.literal(INTERACTION)})
    changes = _changes(seen.union(any_of), ITEM_ID, {"count": COUNT}, {"users": USER_ID}, window_days)
    columns = {
        item_window_column(behaviour, measure, days): (behaviour, _change(measure, days))
        for behaviour in (*WINDOW_BEHAVIOURS, INTERACTION)
        for measure in ("count", "users")
        for days in window_days
    }
    return _running(connection, changes, ITEM_ID, columns, span)


def _windowed(tiles: Table) -> Table:
    return tiles.filter(_[EVENT_TYPE].isin(WINDOW_BEHAVIOURS), _[ITEM_ID].notnull())


def _changes(
    tiles: Table, entity: str, sums: Mapping[str, str], distincts: Mapping[str, str], window_days: Sequence[int]
) -> Table:
    """What enters and leaves: entity, type, day and for every measure and window the change on that day."""
    names = [_change(measure, days) for measure in (*sums, *distincts) for days in window_days]
    daily = tiles.group_by(entity, EVENT_TYPE, DAY).agg(
        **{measure: _[column].sum() for measure, column in sums.items()}
    )
    tables = [*_summed(daily, entity, tuple(sums), window_days)]
    for measure, column in distincts.items():
        tables += _distinct(tiles, entity, measure, column, window_days)
    filled = [_filled(table, (entity, EVENT_TYPE, DAY), names) for table in tables]
    return reduce(lambda one, other: one.union(other), filled)


def _summed(daily: Table, entity: str, sums: Sequence[str], window_days: Sequence[int]) -> list[Table]:
    entering = daily.select(
        entity, EVENT_TYPE, DAY, **{_change(measure, days): _[measure] for measure in sums for days in window_days}
    )
    return [entering, *(_leaving_sums(daily, entity, sums, days) for days in window_days)]


def _leaving_sums(daily: Table, entity: str, sums: Sequence[str], days: int) -> Table:
    columns = {_change(measure, days): -_[measure] for measure in sums}
    return daily.select(entity, EVENT_TYPE, **{DAY: _later(_[DAY], days)}, **columns)


def _distinct(tiles: Table, entity: str, measure: str, column: str, window_days: Sequence[int]) -> list[Table]:
    seen = tiles.filter(_[column].notnull()).select(entity, EVENT_TYPE, column, DAY).distinct()
    order = ibis.window(group_by=(entity, EVENT_TYPE, column), order_by=DAY)
    seen = seen.mutate(before=_[DAY].lag().over(order), after=_[DAY].lead().over(order))
    seen = seen.mutate(absent=_days(_.before, _[DAY]), until=_days(_[DAY], _.after))
    entering = seen.select(
        entity,
        EVENT_TYPE,
        DAY,
        **{_change(measure, days): (_.absent.fill_null(days) >= days).cast("int64") for days in window_days},
    )
    leaving = [
        seen.filter(_.until.fill_null(days) >= days).select(
            entity,
            EVENT_TYPE,
            **{DAY: _later(_[DAY], days), _change(measure, days): ibis.literal(-1, "int64")},
        )
        for days in window_days
    ]
    return [entering, *leaving]


def _running(
    connection: Connection, changes: Table, entity: str, columns: Mapping[str, tuple[str, str]], span: Span
) -> Table:
    """Sum the changes of a day into one row an entity, then over the days; keep those of ``span``.

    Args:
        columns: for each window column its event type and its column in ``changes``.
    """
    keys = (entity, EVENT_TYPE, DAY)
    names = [name for name in changes.columns if name not in keys]
    # each step is stored: as one query DuckDB takes three times as long
    by_type = stored(
        connection, changes.filter(_[DAY] < span.end).group_by(*keys).agg(**{name: _[name].sum() for name in names})
    )
    seen = set(by_type.select(EVENT_TYPE).distinct().to_pyarrow()[EVENT_TYPE].to_pylist())
    live = {name: source for name, source in columns.items() if source[0] in seen}
    wide = stored(connection, _pivoted(by_type, entity, live))
    so_far = ibis.cumulative_window(group_by=entity, order_by=DAY)
    sums = {name: _[name].sum().over(so_far) if name in live else ibis.literal(0, "int64") for name in columns}
    return wide.select(entity, DAY, **sums).filter(_[DAY] >= span.start)


def _pivoted(by_type: Table, entity: str, columns: Mapping[str, tuple[str, str]]) -> Table:
    """One row an entity and day, with the changes of every type side by side."""
    changes = {
        name: _[change].sum(where=_[EVENT_TYPE] == behaviour).fill_null(0)
        for name, (behaviour, change) in columns.items()
    }
    return by_type.group_by(entity, DAY).agg(**changes)


def _filled(table: Table, keys: Sequence[str], names: Sequence[str]) -> Table:
    zero = ibis.literal(0, "int64")
    return table.select(*keys, **{name: _[name].cast("int64") if name in table.columns else zero for name in names})


def _change(measure: str, days: int) -> str:
    return f"{measure}_{days}d"


def _later(day: Column, days: int) -> Column:
    # DuckDB makes a timestamp of date + interval, which Ibis takes for a date
    return (day + ibis.interval(days=days)).cast("timestamp").cast("date")


def _days(earlier: Column, later: Column) -> Column:
    return later.epoch_days() - earlier.epoch_days()
