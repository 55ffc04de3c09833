"""Versions of rows: the first one known of a day in its file, later ones beside it, each with when it was known.

A day's file is written once and stays: what a late delivery changes is written beside it, only the rows that are
others than before. A reader takes of the latest T the latest version that was known by its moment.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Final

import ibis
import pyarrow as pa
from ibis import _

from features.engine import DAY, Table
from features.knowledge import Knowledge, Pass
from features.view import CREATED_TIMESTAMP, EVENT_TIMESTAMP
from features.views import views_of
from infra.lake import Lake, dated, known_since
from infra.moments import moment_of
from infra.partitions import Span, day_end
from infra.settings import Settings

_MOMENT: Final = pa.timestamp("us", tz="UTC")


def moments(settings: Settings, knowledge: Knowledge, one: Pass) -> pa.Table:
    """For each day of a pass the T of its rows, and since when they are known."""
    rows = []
    for day in one.span.days():
        known = max(knowledge.closed[day], one.late_us or 0)
        end = day_end(day, settings.zone)
        rows.append({DAY: day, EVENT_TIMESTAMP: end, CREATED_TIMESTAMP: moment_of(known)})
    fields = [(DAY, pa.date32()), (EVENT_TIMESTAMP, _MOMENT), (CREATED_TIMESTAMP, _MOMENT)]
    return pa.Table.from_pylist(rows, pa.schema(fields))


def revised_days(knowledge: Knowledge, one: Pass) -> list[date]:
    """The days of a pass whose rows were known before it."""
    return [day for day in one.span.days() if one.late_us is not None and knowledge.closed[day] < one.late_us]


def files_of(lake: Lake, view: str, span: Span) -> list[Path]:
    """The files with rows of the days of ``span``, all versions."""
    return [path for day, path in dated(lake.feature_folder(view)) if day in span]


def told_by(files: Iterable[Path], as_of_us: int | None) -> list[Path]:
    """Those of ``files`` that can have rows known by a moment; revisions of later may be of other definitions yet."""
    if as_of_us is None:
        return list(files)
    moment = moment_of(as_of_us)
    return [path for path in files if (since := known_since(path)) is None or since <= moment]


def known_by(rows: Table, as_of_us: int | None) -> Table:
    """Those of ``rows`` (with both timestamps) that were known by a moment."""
    if as_of_us is None:
        return rows
    return rows.filter(_[CREATED_TIMESTAMP] <= ibis.literal(moment_of(as_of_us)))


def newest(rows: Table, *keys: str) -> Table:
    """Of each key (T may be part of it) the row with the latest T, of several versions of it the one known last."""
    for moment in (moment for moment in (EVENT_TIMESTAMP, CREATED_TIMESTAMP) if moment not in keys):
        latest = rows.group_by(*keys).agg(**{moment: _[moment].max()})
        rows = rows.semi_join(latest, (*keys, moment))
    return rows


def drop_others(settings: Settings, knowledge: Knowledge, span: Span, passes: Iterable[Pass]) -> None:
    """Forget revisions of the days of ``span`` that none of these passes writes: what they said was taken back."""
    kept = {(day, one.late_us) for one in passes for day in revised_days(knowledge, one)}
    for view in views_of(settings):
        held = {settings.lake.feature(view.name, day) for day in span.days()}
        held |= {settings.lake.revision(view.name, day, moment_of(late)) for day, late in kept if late is not None}
        for path in files_of(settings.lake, view.name, span):
            if path not in held:
                path.unlink()
