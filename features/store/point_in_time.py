"""What was known at past moments: nothing that happened or became known later."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from functools import partial
from typing import Any, Final

import ibis
import numpy as np
import pyarrow as pa
from ibis import _

from features.catalogue import catalogue
from features.engine import Connection, Table, default_engine, embedded, retrieved, table_of
from features.events.schema import ITEM_ID, PRICE, USER_ID
from features.files import read_files
from features.inputs import stat_columns
from features.service import service_version
from features.store.asked import require_moments
from features.store.item_stats import ItemStats
from features.store.repository import open_store
from features.store.service_versions import service_of
from features.view import CREATED_TIMESTAMP, EVENT_TIMESTAMP, View
from features.views import views_of
from features.window_views import ITEM_WINDOWS
from infra.errors import FeatureError
from infra.lake import dated
from infra.partitions import day_start
from infra.settings import Settings

MOMENT: Final = "moment"
_ROW: Final = "penchant_row"
_KNOWN: Final = "known"
_REPLACED: Final = "replaced"


def user_rows(settings: Settings, moments: pa.Table) -> pa.Table:
    """For each user and moment the features that were known: ``moments`` with the columns of all user views.

    Feast's historical retrieval on the feature service. Of each view it is the last row with T and
    knowledge time at or before the moment, unless it is older than the view's ttl; null without one.
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
    _require_built(settings)
    asked = moments.append_column(_ROW, pa.array(np.arange(len(moments))))
    with default_engine(settings) as connection:
        store = open_store(settings)
        service = service_of(store, service_version(settings))
        retrieve = partial(store.get_historical_features, features=service, filter_by_created_timestamp=True)
        found = retrieved(connection, asked, retrieve)
    views = [view for view in views_of(settings) if view.entity == USER_ID]
    columns = [field for view in views for field in view.schema if field.name in view.columns]
    schema = pa.schema([*moments.schema, *columns])
    return found.sort_by(_ROW).select(schema.names).cast(schema)


def item_stats_by_day(settings: Settings, days: Iterable[date]) -> dict[date, ItemStats]:
    """For each shop day the statistics of all items as an answer on that day would have known them.

    The same rows as Feast's historical retrieval at the day's beginning plus ``history_lag_minutes``
    (tested), found by an as-of join instead of Feast's join of all earlier rows with all moments, which
    takes about a minute of CPU for a year of the sample. Prices are those of the catalogue as it was
    known at the last of the days.
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
        rows = _rows_since(connection, settings, view, min(moments), max(moments))
        asked = table_of(connection, _asked(items[ITEM_ID], moments))
        effective = _effective(rows, names)
        found = asked.asof_join(effective, asked[MOMENT] >= effective[_KNOWN], ITEM_ID)
        if view.ttl_days:
            alive = _[EVENT_TIMESTAMP] + ibis.interval(days=view.ttl_days) >= _[MOMENT]
            found = found.mutate(**{name: alive.ifelse(_[name], 0) for name in names})
        table = found.select(ITEM_ID, MOMENT, *names).order_by(MOMENT, ITEM_ID).to_pyarrow()
    return _split(table, items, names, list(moments))


def _rows_since(connection: Connection, settings: Settings, view: View, first: date, last: date) -> Table:
    """The view's rows that can hold on the days from ``first`` to ``last``."""
    back = first - timedelta(days=(view.ttl_days or 0) + 1)
    files = [path for day, path in dated(settings.lake.feature_folder(view.name)) if back <= day <= last]
    return read_files(connection, files, view.schema)


def _effective(rows: Table, names: list[str]) -> Table:
    """Rows that are ever the last one known, each with the moment from which on it is.

    A row is known at max(T, knowledge time). One that became known only after a later row did, or a later version
    of its own, is never looked at; the others become known in the order of their T, and of their versions.
    """
    known = rows.select(
        ITEM_ID, EVENT_TIMESTAMP, *names, **{_KNOWN: ibis.greatest(rows[EVENT_TIMESTAMP], rows[CREATED_TIMESTAMP])}
    )
    newest_first = (ibis.desc(EVENT_TIMESTAMP), ibis.desc(_KNOWN))
    later = ibis.window(group_by=ITEM_ID, order_by=newest_first, preceding=(None, 1))
    marked = known.mutate(**{_REPLACED: _[_KNOWN].min().over(later)})
    return marked.filter(_[_REPLACED].isnull() | (_[_KNOWN] < _[_REPLACED])).drop(_REPLACED)


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
