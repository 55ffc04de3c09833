"""What was known at past moments: nothing that happened or became known later."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.catalogue import catalogue
from features.engine import embedded, table_of
from features.events.schema import ITEM_ID, PRICE, USER_ID
from features.inputs import stat_columns
from features.store.as_of import MOMENT, as_of, rows_between
from features.store.asked import in_microseconds, require_moments
from features.store.feast_rows import feast_rows
from features.store.item_stats import ItemStats
from features.view import EVENT_TIMESTAMP, View
from features.views import views_of
from features.window_views import ITEM_WINDOWS
from infra.errors import FeatureError
from infra.lake import dated
from infra.partitions import day_start
from infra.settings import Settings

_ROW: Final = "penchant_row"


def user_rows(settings: Settings, moments: pa.Table) -> pa.Table:
    """For each user and moment the features that were known: ``moments`` with the columns of all user views.

    What Feast's historical retrieval on the feature service answers (tested): on DuckDB it is found by
    ``features.store.as_of``, on Spark by Feast itself.
    Of each view it is the last row with T and knowledge time at or before the moment, unless it is older than
    the view's ttl; null without one.
    A row of day D is known only some time after T, the end of D: ask with the moment of the answer
    itself, not with the day's beginning. Events of a user since the last day that the row holds are
    the caller's to add (``features.advance.advance``).

    Args:
        moments: columns ``user_id`` and ``event_timestamp`` (UTC); others are kept.

    Returns:
        the rows of ``moments`` in their order.

    Raises:
        FeatureError: nothing is built yet, ``moments`` is another table, or the registry does not know these
            definitions.
        LakeError: a feature file is gone, not whole, or lacks columns.
    """
    require_moments(moments)
    at = in_microseconds(moments[EVENT_TIMESTAMP])
    if settings.engine == "spark":
        return feast_rows(settings, moments)
    _require_built(settings)
    views = [view for view in views_of(settings) if view.entity == USER_ID]
    if not len(moments):
        return _with_columns(moments, views, [view.schema.empty_table() for view in views])
    numbered = pa.table(
        {
            USER_ID: moments[USER_ID].cast(pa.string()),
            MOMENT: at,
            _ROW: pa.array(np.arange(len(moments))),
        }
    )
    limits = pc.min_max(numbered[MOMENT]).as_py()
    first, last = (limits[name].astimezone(settings.zone).date() for name in ("min", "max"))
    with embedded(settings) as connection:
        asked = table_of(connection, numbered)
        found = []
        for view in views:
            rows = rows_between(connection, settings, view, first, last)
            table = as_of(connection, asked, rows, view, view.columns)
            found.append(table.order_by(_ROW).select(*view.columns).to_pyarrow())
    return _with_columns(moments, views, found)


def _with_columns(moments: pa.Table, views: Sequence[View], found: Sequence[pa.Table]) -> pa.Table:
    """``moments`` with the columns of each view, found in the same order."""
    for view, table in zip(views, found, strict=True):
        for name in view.columns:
            field = view.schema.field(name)
            moments = moments.append_column(field, table[name].cast(field.type))
    return moments


def item_stats_by_day(settings: Settings, days: Iterable[date]) -> dict[date, ItemStats]:
    """For each shop day the statistics of all items as an answer on that day would have known them.

    The same rows as Feast's historical retrieval at the day's beginning plus ``history_lag_minutes``
    (tested). Prices are those of the catalogue as it was known at the last of the days.
    """
    _require_built(settings)
    view = next(view for view in views_of(settings) if view.name == ITEM_WINDOWS)
    names = [name for name in stat_columns(settings.window_days) if name != PRICE]
    lag = timedelta(minutes=settings.history_lag_minutes)
    moments = {day: day_start(day, settings.zone) + lag for day in sorted(set(days))}
    if not moments:
        return {}
    items = catalogue(settings, max(moments.values())).select([ITEM_ID, PRICE])
    with embedded(settings) as connection:
        asked = table_of(connection, _asked(items[ITEM_ID], moments))
        rows = rows_between(connection, settings, view, min(moments), max(moments))
        found = as_of(connection, asked, rows, view, names)
        table = found.order_by(MOMENT, ITEM_ID).to_pyarrow()
    return _split(table, items, names, list(moments))


def _asked(items: pa.ChunkedArray, moments: dict[date, Any]) -> pa.Table:
    """Every item at every moment."""
    count = len(items)
    times = pa.array(list(moments.values()), pa.timestamp("us", tz="UTC"))
    at = times.take(pa.array(np.repeat(np.arange(len(times)), count)))
    return pa.table({ITEM_ID: pa.array(items.to_pylist() * len(times), pa.string()), MOMENT: at})


def _split(table: pa.Table, items: pa.Table, names: list[str], days: list[date]) -> dict[date, ItemStats]:
    """One table a day, items in order of id."""
    order = np.argsort(items[ITEM_ID].to_numpy(zero_copy_only=False))
    ids = [items[ITEM_ID][int(place)].as_py() for place in order]
    prices = items[PRICE].fill_null(0).to_numpy()[order].astype(np.int64)
    counts = {name: table[name].fill_null(0).to_numpy().reshape(len(days), len(ids)) for name in names}
    return {
        day: (ids, {**{name: counts[name][place] for name in names}, PRICE: prices}) for place, day in enumerate(days)
    }


def _require_built(settings: Settings) -> None:
    if not all(dated(settings.lake.feature_folder(view.name)) for view in views_of(settings)):
        raise FeatureError("No features are built yet.", "Load the shop's history first.")
