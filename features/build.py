"""From published events to the rows of every feature view, for one day or for a year in one pass."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

from features.baskets import BASKETS
from features.behaviour import behaviour
from features.chain import drop_checkpoints, keep_checkpoint, states_before
from features.covisits import covisits
from features.daily import Daily
from features.day_files import write_days
from features.days import forget_built, mark_built, new_since, require_closed, version
from features.engine import DAY, Connection, Table, connect, stored, table_of
from features.engines.trouble import explained
from features.events.schema import USER_ID
from features.history import user_items
from features.interest import user_interest, wanted
from features.item_history import item_versions
from features.knowledge import Knowledge, Pass
from features.revise import changed
from features.segments import SEGMENTS
from features.sequences import sequenced, user_sequence
from features.tiles import TILES
from features.undo import undone_on_failure
from features.user_days import USER_DAYS
from features.versions import drop_others, moments, revised_days
from features.view import View
from features.views import CHAINED, ITEM_COVISITS, USER_ITEMS, USER_SEQUENCE, views_of
from features.window_rows import category_windows, days_needed, item_windows, segment_windows, user_windows
from features.window_views import CATEGORY_WINDOWS, SEGMENT_WINDOWS, USER_WINDOWS
from infra.lake import read_json
from infra.locks import one_at_a_time
from infra.moments import moment_of
from infra.partitions import Span, day_start
from infra.settings import Settings

#: Longer spans are built in pieces, and so are those with more events: bounds memory, and the powers of two of the
#: interest. A piece reads a month of tiles before it, so it should be no shorter than that.
PIECE_DAYS: Final = 180
PIECE_EVENTS: Final = 20_000_000
DAILY: Final = (TILES, USER_DAYS, BASKETS, SEGMENTS)

Progress = Callable[[str, int, int], None]


def build(
    settings: Settings, span: Span, progress: Progress | None = None, *, only_new: bool = False
) -> dict[str, Any]:
    """Write the tiles and the rows of every view for every day of ``span``, as they were first known, and what late
    deliveries changed of them.

    Building again gives equal bytes; of two builds at once one waits. Days after ``span`` that are built already
    are left as they are: if its events changed, build through to the last one.

    Args:
        settings: of the shop.
        span: closed days; everything before them is built (``features.days.unbuilt_through``).
        progress: called with what was done, and how many of how many steps are done.
        only_new: leave what is built as it is where nothing but late rows came; everything is written again
            where rows were taken back or the definitions of the features are others.

    Returns:
        ``rows`` by view (and ``tiles``), ``days``, ``seconds``.

    Raises:
        FeatureError: days are missing before or in ``span``.
        LakeError: a file that the days rest on is gone, not whole, or lacks columns.
        MachineError: memory or disk are not enough. After any error the lake holds what it held before.
    """
    started = time.perf_counter()
    with one_at_a_time(settings, "build"), explained(settings), undone_on_failure(settings, span):
        rows = _written(settings, span, progress, only_new)
    return {"rows": rows, "days": len(span), "seconds": round(time.perf_counter() - started, 3)}


def _written(settings: Settings, span: Span, progress: Progress | None, only_new: bool) -> dict[str, int]:
    require_closed(settings, span)
    # before the events are read: what comes in between makes the day due again
    versions = {day: version(settings, day) for day in span.days()}
    knowledge = Knowledge(settings)
    since_us = new_since(settings, knowledge, span) if only_new else None
    passes = knowledge.passes(span, since_us)
    forget_built(settings, span)
    if since_us is None:  # first, for a row is compared with those that were known before it
        drop_others(settings, knowledge, span, passes)
    rows = dict.fromkeys((*(daily.name for daily in DAILY), *(view.name for view in views_of(settings))), 0)
    pieces = [piece for one in passes for piece in _pieces(settings, one)]
    for at, piece in enumerate(pieces):
        with connect(settings) as connection:
            for name, count in _Builder(connection, settings, knowledge, piece).written():
                rows[name] += count
                if progress:
                    place = at * len(rows) + list(rows).index(name) + 1
                    progress(f"{name} {piece.span}", place, len(pieces) * len(rows))
    mark_built(settings, versions)
    return rows


def _pieces(settings: Settings, one: Pass) -> Iterator[Pass]:
    start, events = one.span.start, 0
    for day in one.span.days():
        events += read_json(settings.lake.partition(day))["rows"]
        end = day + timedelta(days=1)
        if events >= PIECE_EVENTS or (end - start).days == PIECE_DAYS or end == one.span.end:
            yield replace(one, span=Span(start, end))
            start, events = end, 0


@dataclass(frozen=True)
class _Builder:
    """One pass through some days on a connection of its own."""

    connection: Connection
    settings: Settings
    knowledge: Knowledge
    piece: Pass

    def written(self) -> Iterator[tuple[str, int]]:
        """Write tiles and views: the name of each, and how many rows."""
        connection, settings, span, as_of = self.connection, self.settings, self.piece.span, self.piece.as_of_us
        items = item_versions(connection, settings, None if as_of is None else moment_of(as_of))
        events = behaviour(connection, settings, span, items, as_of)
        for daily in DAILY:
            yield daily.name, daily.write(connection, settings, events, span)
        days = table_of(connection, moments(settings, self.knowledge, self.piece))
        known = {daily.name: self._daily(daily, items) for daily in DAILY}
        for view in views_of(settings):
            rows = self._rows(view, events, items, known).inner_join(days, DAY)
            yield view.name, self._write(view, rows, days)

    def _rows(self, view: View, events: Table, items: Table, known: dict[str, Table]) -> Table:
        connection, settings, span = self.connection, self.settings, self.piece.span
        if view.name in CHAINED:
            return self._chained_rows(view, events)
        if view.name == ITEM_COVISITS:
            return covisits(connection, known[BASKETS.name], span, max(settings.window_days))
        if view.name == SEGMENT_WINDOWS:
            return segment_windows(connection, known[SEGMENTS.name], span, settings.window_days)
        seen = known[TILES.name]
        if view.name == USER_WINDOWS:
            return user_windows(connection, seen, known[USER_DAYS.name], span, settings.window_days)
        if view.name == CATEGORY_WINDOWS:
            return category_windows(connection, seen, span, settings.window_days)
        return item_windows(connection, settings, seen, items, span)

    def _daily(self, daily: Daily, items: Table) -> Table:
        """What the days whose events enter, stay in or leave a window came to, as it was known; files hold it as it
        is known now.
        """
        connection, settings, span, as_of = self.connection, self.settings, self.piece.span, self.piece.as_of_us
        needed = list(days_needed(span, settings.window_days).days())
        others = [
            day
            for day in needed
            if day < span.start and as_of is not None and any(late > as_of for late in self.knowledge.late(day))
        ]
        table = daily.read(connection, settings.lake, (day for day in needed if day not in others))
        if not others:
            return table
        earlier = behaviour(connection, settings, Span(others[0], others[-1] + timedelta(days=1)), items, as_of)
        again = daily.of(earlier.filter(earlier[DAY].isin(others)), settings)
        return stored(connection, table.union(again.select(*daily.schema.names)))

    def _chained_rows(self, view: View, events: Table) -> Table:
        connection, settings, start = self.connection, self.settings, self.piece.span.start
        drop_checkpoints(settings.lake, view, start)
        touched = sequenced(events) if view.name == USER_SEQUENCE else wanted(events)
        users = touched.select(USER_ID).distinct()
        states = states_before(connection, settings.lake, view, start, users, self.piece.as_of_us)
        if view.name == USER_SEQUENCE:
            return user_sequence(events, states, settings.sequence_length, settings.session_minutes)
        if view.name == USER_ITEMS:
            return user_items(events, states, settings.history_items)
        origin = day_start(start, settings.zone)
        return user_interest(events, states, round(origin.timestamp() * 1_000_000), settings.half_life_days)

    def _write(self, view: View, rows: Table, days: Table) -> int:
        lake, span, late = self.settings.lake, self.piece.span, self.piece.late_us
        revised = revised_days(self.knowledge, self.piece)
        if late is not None and revised:
            rows = changed(self.connection, lake, view, stored(self.connection, rows), days, revised, self.piece)

        def path_of(day: date) -> Path:
            if day in revised and late is not None:
                return lake.revision(view.name, day, moment_of(late))
            return lake.feature(view.name, day)

        count = write_days(self.connection, rows, view.schema, span.days(), path_of, (view.entity,), revised)
        if view.name in CHAINED:
            keep_checkpoint(self.connection, lake, view, span, self.piece.as_of_us)
        return count
