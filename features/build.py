"""From published events to the rows of every feature view, for one day or for a year in one pass."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, Final

from features.behaviour import behaviour
from features.chain import drop_checkpoints, keep_checkpoint, states_before
from features.days import moments, require_closed, version, views_of
from features.engine import DAY, Connection, Table, connect, table_of
from features.events.schema import USER_ID
from features.files import write_days
from features.history import user_items
from features.interest import user_interest, wanted
from features.item_history import item_versions
from features.sequences import sequenced, user_sequence
from features.tiles import read_tiles, write_tiles
from features.view import View
from features.views import USER_INTEREST, USER_ITEMS, USER_SEQUENCE
from features.window_rows import category_windows, item_windows, tiles_needed, user_windows
from features.window_views import CATEGORY_WINDOWS, USER_WINDOWS
from infra.partitions import Span, day_start
from infra.settings import Settings

#: Longer spans are built in pieces: bounds memory, and the powers of two of the interest.
CHUNK_DAYS: Final = 180
TILES: Final = "tiles"
CHAINED: Final = (USER_INTEREST, USER_SEQUENCE, USER_ITEMS)

Progress = Callable[[str, int, int], None]


def build(settings: Settings, span: Span, progress: Progress | None = None) -> dict[str, Any]:
    """Write the tiles and the rows of every view for every day of ``span``.

    Building again gives equal bytes. Days after ``span`` that are built already are left as they are:
    if its events changed, build through to the last one.

    Args:
        settings: of the shop.
        span: closed days; everything before them is built (``features.days.unbuilt_through``).
        progress: called with what was done, and how many of how many steps are done.

    Returns:
        ``rows`` by view (and ``tiles``), ``days``, ``seconds``.

    Raises:
        FeatureError: days are missing before or in ``span``.
    """
    started = time.perf_counter()
    require_closed(settings, span)
    rows = dict.fromkeys((TILES, *(view.name for view in views_of(settings))), 0)
    pieces = list(_pieces(span))
    for at, piece in enumerate(pieces):
        with connect(settings) as connection:
            for name, count in _build_piece(connection, settings, piece):
                rows[name] += count
                if progress:
                    place = at * len(rows) + list(rows).index(name) + 1
                    progress(f"{name} {piece}", place, len(pieces) * len(rows))
    return {"rows": rows, "days": len(span), "seconds": round(time.perf_counter() - started, 3)}


def _pieces(span: Span) -> Iterator[Span]:
    start = span.start
    while start < span.end:
        end = min(start + timedelta(days=CHUNK_DAYS), span.end)
        yield Span(start, end)
        start = end


def _build_piece(connection: Connection, settings: Settings, span: Span) -> Iterator[tuple[str, int]]:
    lake = settings.lake
    # before the events are read: what comes in between makes the day due again
    versions = {day: version(lake, day) for day in span.days()}
    items = item_versions(connection, settings)
    events = behaviour(connection, settings, span, items)
    days = table_of(connection, moments(settings, span))
    yield TILES, write_tiles(connection, settings, events, versions)
    for view in views_of(settings):
        rows = _rows(connection, settings, view, events, items, span)
        yield view.name, _write(connection, settings, view, rows.inner_join(days, DAY), span)


def _rows(connection: Connection, settings: Settings, view: View, events: Table, items: Table, span: Span) -> Table:
    if view.name in CHAINED:
        return _chained_rows(connection, settings, view, events, span)
    tiles = read_tiles(connection, settings.lake, tiles_needed(span, settings.window_days))
    if view.name == USER_WINDOWS:
        return user_windows(connection, tiles, span, settings.window_days)
    if view.name == CATEGORY_WINDOWS:
        return category_windows(connection, tiles, span, settings.window_days)
    return item_windows(connection, settings, tiles, items, span)


def _chained_rows(connection: Connection, settings: Settings, view: View, events: Table, span: Span) -> Table:
    drop_checkpoints(settings.lake, view, span.start)
    touched = sequenced(events) if view.name == USER_SEQUENCE else wanted(events)
    states = states_before(connection, settings.lake, view, span.start, touched.select(USER_ID).distinct())
    if view.name == USER_SEQUENCE:
        return user_sequence(events, states, settings.sequence_length, settings.session_minutes)
    if view.name == USER_ITEMS:
        return user_items(events, states, settings.history_items)
    origin = day_start(span.start, settings.zone)
    return user_interest(events, states, round(origin.timestamp() * 1_000_000), settings.half_life_days)


def _write(connection: Connection, settings: Settings, view: View, rows: Table, span: Span) -> int:
    lake = settings.lake
    count = write_days(
        connection, rows, view.schema, span.days(), lambda day: lake.feature(view.name, day), (view.entity,)
    )
    if view.name in CHAINED:
        keep_checkpoint(connection, lake, view, span)
    return count
