"""The last row of a view that was known at each of many moments: Feast's historical retrieval by an as-of join.

The same rows as Feast's (tested). Feast joins all earlier rows of an entity with each of its moments, whole, and then
keeps one of each; here only moments and times are joined, each moment finds its row at once, and values follow after.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final

import ibis
from ibis import _

from features.engine import Connection, Table, stored
from features.files import read_files
from features.view import CREATED_TIMESTAMP, EVENT_TIMESTAMP, View
from infra.lake import dated
from infra.settings import Settings

MOMENT: Final = "moment"
_KNOWN: Final = "known"
_REPLACED: Final = "replaced"
_OF_ROW: Final = ("of_row_entity", "of_row_event", "of_row_created")


def as_of(connection: Connection, asked: Table, rows: Table, view: View, names: Sequence[str]) -> Table:
    """``asked`` with the columns ``names`` of the row that was known at its moment; null without one.

    Of the rows with T and knowledge time at or before the moment it is that with the latest T, of its versions the
    one known last, unless it is older than the view's ttl.

    Args:
        asked: the view's entity, ``moment``, and whatever else.
        rows: of the view, ``rows_between``.
    """
    moments = stored(connection, _effective(rows.semi_join(asked, view.entity), view.entity))
    found = asked.asof_join(moments, asked[MOMENT] >= moments[_KNOWN], view.entity).select(
        *asked.columns, **{EVENT_TIMESTAMP: moments[EVENT_TIMESTAMP], CREATED_TIMESTAMP: moments[CREATED_TIMESTAMP]}
    )
    if view.ttl_days:
        alive = _[EVENT_TIMESTAMP] + ibis.interval(days=view.ttl_days) >= _[MOMENT]
        found = found.mutate(**{EVENT_TIMESTAMP: alive.ifelse(_[EVENT_TIMESTAMP], None)})
    values = rows.select(
        *names, **dict(zip(_OF_ROW, (_[view.entity], _[EVENT_TIMESTAMP], _[CREATED_TIMESTAMP]), strict=True))
    )
    same = zip((view.entity, EVENT_TIMESTAMP, CREATED_TIMESTAMP), _OF_ROW, strict=True)
    whole = found.left_join(values, [found[left] == values[right] for left, right in same])
    return whole.select(*asked.columns, *names)


def rows_between(connection: Connection, settings: Settings, view: View, first: date, last: date) -> Table:
    """The view's rows that can hold at moments on the days from ``first`` to ``last``."""
    back = first - timedelta(days=view.ttl_days + 1) if view.ttl_days else date.min
    files = [path for day, path in dated(settings.lake.feature_folder(view.name)) if back <= day <= last]
    return read_files(connection, files, view.schema)


def _effective(rows: Table, entity: str) -> Table:
    """Both times of the rows that are ever the last one known, each with the moment from which on it is.

    A row is known at max(T, knowledge time). One that became known only after a later row did, or a later version
    of its own, is never looked at; the others become known in the order of their T, and of their versions.
    """
    known = rows.select(
        entity,
        EVENT_TIMESTAMP,
        CREATED_TIMESTAMP,
        **{_KNOWN: ibis.greatest(rows[EVENT_TIMESTAMP], rows[CREATED_TIMESTAMP])},
    )
    newest_first = (ibis.desc(EVENT_TIMESTAMP), ibis.desc(_KNOWN))
    later = ibis.window(group_by=entity, order_by=newest_first, preceding=(None, 1))
    marked = known.mutate(**{_REPLACED: _[_KNOWN].min().over(later)})
    return marked.filter(_[_REPLACED].isnull() | (_[_KNOWN] < _[_REPLACED])).drop(_REPLACED)
