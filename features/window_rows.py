"""The rows of the views of windows, from tiles: what users did, and what was done with items and categories."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import ibis
import pyarrow as pa
from ibis import _

from features.behaviour import SPEND
from features.counted import Counted
from features.day_counts import DAY_COUNTS
from features.engine import DAY, Connection, Table, table_of
from features.events.schema import CATEGORY, DWELL_MS, EVENT_TYPE, IS_BOT, ITEM_ID, PRICE, USER_ID
from features.item_history import FIRST_US, SINCE_US, UNTIL_US
from features.tiles import COUNT, LAST_US
from features.view import View
from features.window_views import (
    INTERACTION,
    INTERACTIONS,
    ITEM_BEHAVIOURS,
    SEGMENT,
    TREND_DAYS,
    WINDOW_BEHAVIOURS,
    category_windows_view,
    horizon_days,
    item_windows_view,
    measures,
    segment_windows_view,
    user_windows_view,
)
from features.windows import later, windows
from infra.partitions import Span, day_end, day_start
from infra.settings import Settings

_ITEM_PREFIX: Final = "item_"
_CATEGORY_PREFIX: Final = "category_"
_SEGMENT_PREFIX: Final = "segment_"
_STARTS: Final = "starts_us"
_ENDS: Final = "ends_us"
_BACK: Final = "back_us"


def days_needed(span: Span, window_days: tuple[int, ...]) -> Span:
    """The days whose tiles enter, stay in or leave a window of ``span``."""
    return Span(span.start - timedelta(days=horizon_days(window_days)), span.end)


def user_windows(
    connection: Connection, tiles: Table, user_days: Table, span: Span, window_days: tuple[int, ...]
) -> Table:
    """Rows of the view ``user_windows`` with their ``day``, from ``features.tiles`` and ``features.user_days``.

    All that is read here is of ``days_needed``.
    """
    distincts = {"items": ITEM_ID, "categories": CATEGORY}
    of_days = [one.name for one in DAY_COUNTS]
    of_all = ("active_days", *of_days)
    counted = Counted(
        entity=USER_ID,
        measures={behaviour: measures(behaviour) for behaviour in WINDOW_BEHAVIOURS},
        sums={"count": COUNT, "spend": SPEND, "dwell": DWELL_MS},
        amounts=("spend", "dwell", *of_days),
        distincts=distincts,
        of_all=of_all,
        lengths={
            **dict.fromkeys(("spend", "dwell", *of_all, *distincts), window_days),
            "count": _count_lengths(window_days),
        },
        latest=LAST_US,
    )
    known = tiles.filter(_[USER_ID].notnull())
    active = user_days.mutate(active_days=ibis.literal(1, "int64"))
    return _described(windows(connection, known, active, counted, span), user_windows_view(window_days))


def item_windows(connection: Connection, settings: Settings, tiles: Table, versions: Table, span: Span) -> Table:
    """Rows of the view ``item_windows`` with their ``day``; guests count, but not as users, and bots do not.

    A row falls also on the day on which an item's price changes, and on the day on which that leaves the longest
    window.

    Args:
        versions: ``features.item_history.item_versions``.
    """
    view = item_windows_view(settings.window_days)
    days = table_of(connection, _days(settings, span))
    dearer = _price_changes(versions, days, max(settings.window_days))
    rows = _windows_of(connection, _of_all(tiles), ITEM_ID, span, settings.window_days, dearer)
    # an item of which nobody did anything yet
    rows = rows.mutate(**{name: _[name].fill_null(0) for name in rows.columns if name not in (ITEM_ID, DAY)})
    return _described(_priced(rows, versions, days), view, _ITEM_PREFIX)


def category_windows(connection: Connection, tiles: Table, span: Span, window_days: tuple[int, ...]) -> Table:
    """Rows of the view ``category_windows`` with their ``day``; guests count, but not as users, and bots do not."""
    seen = _of_all(tiles).filter(_[CATEGORY] != "")
    rows = _windows_of(connection, seen, CATEGORY, span, window_days)
    return _described(rows, category_windows_view(window_days), _CATEGORY_PREFIX)


def segment_windows(connection: Connection, daily: Table, span: Span, window_days: tuple[int, ...]) -> Table:
    """Rows of the view ``segment_windows`` with their ``day``, from ``features.segments``; as for categories."""
    rows = _windows_of(connection, _of_all(daily), SEGMENT, span, window_days)
    return _described(rows, segment_windows_view(window_days), _SEGMENT_PREFIX)


def _of_all(tiles: Table) -> Table:
    """What everybody but bots did, and any interaction again as such."""
    seen = tiles.filter(~_[IS_BOT], _[EVENT_TYPE].isin(WINDOW_BEHAVIOURS))
    any_of = seen.filter(_[EVENT_TYPE].isin(INTERACTIONS)).mutate(**{EVENT_TYPE: ibis.literal(INTERACTION)})
    return seen.union(any_of)


def _windows_of(
    connection: Connection,
    tiles: Table,
    entity: str,
    span: Span,
    window_days: tuple[int, ...],
    also: Table | None = None,
) -> Table:
    """Windows of what everybody did with an entity."""
    counted = Counted(
        entity=entity,
        measures=dict.fromkeys(ITEM_BEHAVIOURS, ("count", "users")),
        sums={"count": COUNT},
        amounts=(),
        distincts={"users": USER_ID},
        of_all=(),
        lengths={"users": window_days, "count": _count_lengths(window_days)},
        latest=LAST_US,
    )
    return windows(connection, tiles, tiles.select(entity, DAY).distinct(), counted, span, also)


def _days(settings: Settings, span: Span) -> pa.Table:
    """The days whose tiles are read: when each begins and ends, and when its longest window begins."""
    longest = timedelta(days=max(settings.window_days))
    days = list(days_needed(span, settings.window_days).days())
    moments = {
        _STARTS: [day_start(day, settings.zone) for day in days],
        _ENDS: [day_end(day, settings.zone) for day in days],
        _BACK: [day_end(day - longest, settings.zone) for day in days],
    }
    microseconds = {name: [round(moment.timestamp() * 1e6) for moment in found] for name, found in moments.items()}
    return pa.table({DAY: pa.array(days, pa.date32()), **microseconds})


def _price_changes(versions: Table, days: Table, longest: int) -> Table:
    """The days (item, ``day``) on which another price takes effect, and on which that was ``longest`` days ago."""
    in_time = ibis.window(group_by=ITEM_ID, order_by=SINCE_US)
    priced = versions.mutate(**{PRICE: _[PRICE].fill_null(0), "was": _[PRICE].fill_null(0).lag().over(in_time)})
    dearer = priced.filter(_[PRICE] != _["was"])
    on_day = dearer.inner_join(days, [dearer[SINCE_US] >= days[_STARTS], dearer[SINCE_US] < days[_ENDS]])
    changes = on_day.select(ITEM_ID, DAY)
    return changes.union(changes.mutate(**{DAY: later(_[DAY], longest)}))


def _priced(rows: Table, versions: Table, days: Table) -> Table:
    """``rows`` with the item's price at T and what became of it, and since when the item is known."""
    found = rows.inner_join(days, DAY)
    for name, moment in (("now", _ENDS), ("then", _BACK)):
        version = versions.select(
            **{f"{name}_{column}": _[column] for column in (ITEM_ID, SINCE_US, UNTIL_US, FIRST_US, PRICE)}
        )
        holds = (
            found[ITEM_ID] == version[f"{name}_{ITEM_ID}"],
            found[moment] > version[f"{name}_{SINCE_US}"],
            found[moment] <= version[f"{name}_{UNTIL_US}"],
        )
        found = found.left_join(version, holds)
    now, then, first = (_[name].fill_null(0) for name in (f"now_{PRICE}", f"then_{PRICE}", f"now_{FIRST_US}"))
    return found.select(
        *rows.columns,
        price=now,
        price_change=((now > 0) & (then > 0)).ifelse(now / then - 1.0, 0.0),
        first_us=(first < _[_ENDS]).ifelse(first, 0),
    )


def _count_lengths(window_days: tuple[int, ...]) -> tuple[int, ...]:
    """Windows in which events are counted: those that are asked for, and those of trends and last moments."""
    return tuple(sorted({*window_days, *TREND_DAYS, horizon_days(window_days)}))


def _described(rows: Table, view: View, prefix: str = "") -> Table:
    """The columns of ``view``, counted or following from others, in the order in which they follow."""
    named = rows.rename({f"{prefix}{name}": name for name in rows.columns if name not in (view.entity, DAY)})
    row = {name: named[name] for name in named.columns}
    for feature in view.features:
        if feature.expression:
            row[feature.name] = feature.expression(row)
    return named.select(view.entity, DAY, **{name: row[name] for name in view.columns})
