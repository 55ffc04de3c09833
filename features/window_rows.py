"""The rows of the views ``user_windows`` and ``item_windows``, from tiles."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import ibis
from ibis import _

from features.behaviour import SPEND
from features.engine import DAY, Connection, Table
from features.events.schema import CATEGORY, DWELL_MS, EVENT_TYPE, IS_BOT, ITEM_ID, USER_ID
from features.tiles import COUNT, LAST_US, SESSIONS
from features.view import View
from features.window_views import (
    INTERACTION,
    INTERACTIONS,
    ITEM_BEHAVIOURS,
    TREND_DAYS,
    WINDOW_BEHAVIOURS,
    horizon_days,
    item_windows_view,
    measures,
    user_windows_view,
)
from features.windows import Counted, windows
from infra.partitions import Span

_ITEM_PREFIX: Final = "item_"


def tiles_needed(span: Span, window_days: tuple[int, ...]) -> Span:
    """The days whose tiles enter, stay in or leave a window of ``span``."""
    return Span(span.start - timedelta(days=horizon_days(window_days)), span.end)


def user_windows(connection: Connection, tiles: Table, span: Span, window_days: tuple[int, ...]) -> Table:
    """Rows of the view ``user_windows`` with their ``day``, from the tiles of ``tiles_needed``."""
    distincts = {"items": ITEM_ID, "categories": CATEGORY}
    counted = Counted(
        entity=USER_ID,
        measures={behaviour: measures(behaviour) for behaviour in WINDOW_BEHAVIOURS},
        sums={"count": COUNT, "spend": SPEND, "dwell": DWELL_MS},
        distincts=distincts,
        of_all={"active_days": (_.count() > 0).cast("int64"), "sessions": _[SESSIONS].sum()},
        lengths={
            **dict.fromkeys(("spend", "dwell", "active_days", "sessions", *distincts), window_days),
            "count": _count_lengths(window_days),
        },
        latest=LAST_US,
    )
    known = tiles.filter(_[USER_ID].notnull())
    return _described(windows(connection, known, counted, span), user_windows_view(window_days))


def item_windows(connection: Connection, tiles: Table, span: Span, window_days: tuple[int, ...]) -> Table:
    """Rows of the view ``item_windows`` with their ``day``; guests count, but not as users, and bots do not."""
    counted = Counted(
        entity=ITEM_ID,
        measures=dict.fromkeys(ITEM_BEHAVIOURS, ("count", "users")),
        sums={"count": COUNT},
        distincts={"users": USER_ID},
        of_all={},
        lengths={"users": window_days, "count": _count_lengths(window_days)},
        latest=LAST_US,
    )
    seen = tiles.filter(~_[IS_BOT], _[EVENT_TYPE].isin(WINDOW_BEHAVIOURS))
    any_of = seen.filter(_[EVENT_TYPE].isin(INTERACTIONS)).mutate(**{EVENT_TYPE: ibis.literal(INTERACTION)})
    rows = windows(connection, seen.union(any_of), counted, span)
    return _described(rows, item_windows_view(window_days), _ITEM_PREFIX)


def _count_lengths(window_days: tuple[int, ...]) -> tuple[int, ...]:
    """Windows in which events are counted: those that are asked for, and those of trends and last moments."""
    return tuple(sorted({*window_days, *TREND_DAYS, horizon_days(window_days)}))


def _described(rows: Table, view: View, prefix: str = "") -> Table:
    """The columns of ``view``, counted or following from what is counted."""
    named = rows.rename({f"{prefix}{name}": name for name in rows.columns if name not in (view.entity, DAY)})
    followed = {f.name: f.expression(named) for f in view.features if f.expression}
    return named.mutate(**followed).select(view.entity, DAY, *view.columns)
