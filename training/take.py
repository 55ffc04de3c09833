"""Takes a snapshot of the closed days, through the feature store's historical retrieval."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from features.advance import advance
from features.behaviour import KNOWN_US, behaviour
from features.bundle import ITEM_TABLE
from features.catalogue import catalogue
from features.days import require_built
from features.engine import batches, embedded
from features.events.schema import ITEM_ID, PRICE, USER_ID
from features.inputs import stat_columns
from features.item_history import item_versions
from features.knowledge import Knowledge
from features.state import UserState, from_row
from features.user_log import LATE_US, LOG_COLUMNS, UserLog
from features.view import EVENT_TIMESTAMP
from infra.errors import TrainingError
from infra.moments import moment_of
from infra.partitions import Span, day_start
from infra.settings import Settings
from training.moments import BASKETS, DAY, MOMENT, Splits, days_of, start_us
from training.snapshot import Snapshot, write

Progress = Callable[[str], None]


def take(settings: Settings, through: date | None = None, on_progress: Progress | None = None) -> Snapshot:
    """Take a snapshot of all closed days up to ``through``.

    Args:
        through: the last day; by default the last closed one.
        on_progress: told what is being done, in words.

    Raises:
        TrainingError: no day is closed, or nobody known bought anything.
        FeatureError: a day is missing in between, or its features are not built, or by other definitions.
    """
    say = on_progress or (lambda _: None)
    span = _closed(settings, through)
    require_built(settings, span)
    splits = Splits.until(span.end - timedelta(days=1), span.start, settings)
    say("reading events")
    events, moments = _read(settings, span)
    say(f"looking up features of {len(moments)} baskets")
    states = _states(settings, span, events, moments)
    say("looking up item statistics")
    stats = _item_stats(settings, moments[DAY].unique().to_pylist())
    items = catalogue(settings, day_start(splits.fresh.start, settings.zone))
    say("writing the snapshot")
    return write(settings, splits, moments, states, stats, items.select(ITEM_TABLE.names))


def _closed(settings: Settings, through: date | None) -> Span:
    closed = settings.lake.closed_days()
    if not closed:
        raise TrainingError("No day is closed yet.", "Load the shop's history first.")
    last = through or closed[-1]
    if last not in closed:
        raise TrainingError(f"The day {last} is not closed; the last one is {closed[-1]}.", "Name a closed day.")
    return Span(closed[0], last + timedelta(days=1))


def _read(settings: Settings, span: Span) -> tuple[pa.Table, pa.Table]:
    """Events of known users, with their items as they were, and the moments, in order of time.

    As they were known when the last day was: what came later is not in this set, whenever it is taken.
    """
    closed = Knowledge(settings).closed
    as_of_us = closed[span.end - timedelta(days=1)]
    with embedded(settings) as connection:
        versions = item_versions(connection, settings, moment_of(as_of_us))
        events = behaviour(connection, settings, span, versions, as_of_us)
        known = events.filter(events[USER_ID].notnull()).select(*LOG_COLUMNS, KNOWN_US, DAY)
        table = pa.Table.from_batches(batches(connection, known))
        moments = connection.con.sql(BASKETS.format(events=events.get_name())).to_arrow_table()
    if not len(moments):
        raise TrainingError(f"No known user bought anything on the days {span}.", "Load more days.")
    days = days_of(moments[MOMENT].cast(pa.int64()).to_numpy(), span, settings)
    return _late(table, span, closed), moments.add_column(3, DAY, pa.array(days, pa.date32()))


def _late(events: pa.Table, span: Span, closed: Mapping[date, int]) -> pa.Table:
    """``events`` with ``LATE_US``: a row that came with its day was seen live."""
    limits = np.array([closed[day] for day in span.days()], dtype=np.int64)
    places = (events[DAY].to_numpy() - np.datetime64(span.start)).astype(np.int64)
    known = events[KNOWN_US].to_numpy()
    return events.append_column(LATE_US, pa.array(np.where(known > limits[places], known, 0)))


def _states(settings: Settings, span: Span, events: pa.Table, moments: pa.Table) -> list[UserState]:
    """What was known at each moment: the store's row then, and the user's events since the row's day."""
    from features.store.point_in_time import user_rows

    asked = pa.table({USER_ID: moments[USER_ID], EVENT_TIMESTAMP: moments[MOMENT]})
    rows = user_rows(settings, asked).drop_columns([EVENT_TIMESTAMP])
    log = UserLog(events)
    horizon = _Horizon(settings, span)
    moments_us = moments[MOMENT].cast(pa.int64()).to_pylist()
    states = []
    for row, moment_us in zip(_rows(rows), moments_us, strict=True):
        base = from_row(row[USER_ID], row, settings.window_days, settings.half_life_days)
        since = log.between(base.user_id, horizon.of(base, moment_us), moment_us)
        states.append(
            advance(
                base,
                since,
                moment_us,
                sequence_length=settings.sequence_length,
                history_items=settings.history_items,
                session_minutes=settings.session_minutes,
            )
        )
    return states


class _Horizon:
    """Up to where a feature row goes, as an answer judges it: events from there on are to be added."""

    def __init__(self, settings: Settings, span: Span) -> None:
        days = list(span.days())
        self._settings = settings
        self._starts = [start_us(day, settings) for day in [*days, span.end]]
        closed = Knowledge(settings).closed
        self._known = [closed[day] for day in days]

    def of(self, base: UserState, moment_us: int) -> int:
        """Microseconds since 1970 UTC: the end of the last day known at the moment, or of the row's last event."""
        covered = self._starts[bisect_right(self._known, moment_us)]
        if not base.sequence.times_us:
            return covered
        return max(covered, self._starts[bisect_right(self._starts, base.sequence.times_us[-1])])


def _item_stats(settings: Settings, days: list[date]) -> pa.Table:
    """Rows of all items with anything in a window, by day."""
    from features.store.point_in_time import item_stats_by_day

    names = [name for name in stat_columns(settings.window_days) if name != PRICE]
    parts = []
    for day, (items, columns) in item_stats_by_day(settings, days).items():
        some = np.flatnonzero(np.any([np.asarray(columns[name]) for name in names], axis=0))
        counts = {name: np.asarray(columns[name])[some] for name in names}
        parts.append(
            pa.table({DAY: pa.array([day] * len(some), pa.date32()), ITEM_ID: pa.array(items).take(some), **counts})
        )
    return pa.concat_tables(parts)


def _rows(table: pa.Table) -> Iterable[dict[str, Any]]:
    for batch in table.to_batches(max_chunksize=1000):
        yield from batch.to_pylist()
