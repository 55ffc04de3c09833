"""Which shop days are closed and built, and which moments their rows describe."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, date, datetime, timedelta
from typing import Final

import pyarrow as pa

from features.engine import DAY
from features.files import note_of
from features.view import CREATED_TIMESTAMP, EVENT_TIMESTAMP, View
from features.views import views
from features.window_views import horizon_days
from infra.errors import FeatureError
from infra.lake import Lake, dated, read_json
from infra.partitions import Span, day_end
from infra.settings import Settings

_SHOWN: Final = 10
_READ: Final = ("rows", "digest", "known_at", "deliveries")
_MOMENT: Final = pa.timestamp("us", tz="UTC")


def views_of(settings: Settings) -> tuple[View, ...]:
    """The feature views with the lengths and half-lives of the settings."""
    return views(settings.window_days, settings.half_life_days)


def built_days(settings: Settings) -> list[date]:
    """Days of which every feature view has its file, in order."""
    folders = (settings.lake.feature_folder(view.name) for view in views_of(settings))
    return sorted(set.intersection(*({day for day, _path in dated(folder)} for folder in folders)))


def unbuilt_through(settings: Settings, day: date) -> Span:
    """``day`` and the days before it that nobody has built yet: what must be built to have ``day``."""
    built = [known for known in built_days(settings) if known < day]
    closed = [known for known in settings.lake.closed_days() if known < day]
    start = built[-1] + timedelta(days=1) if built else min(closed, default=day)
    return Span(start, day + timedelta(days=1))


def due(settings: Settings, span: Span) -> Span:
    """What must be built to have ``span``: also closed days before it that nobody has built, days whose events
    changed since (a late row, a delivery that came again), and every day that was built after one of these.

    Whether they changed is told by the version that the tiles, the first thing that is built of a day, are noted with.
    """
    start, end = min(span.start, unbuilt_through(settings, span.start).start), span.end
    built = built_days(settings)
    changed = changed_days(settings)
    start = min([start, *changed])
    before = start - timedelta(days=1)
    if settings.tie_backwards and before in built:  # its logins may name guests of the day before
        start = before
    new = changed or set(Span(start, end).days()) - set(built)
    return Span(start, max(end, built[-1] + timedelta(days=1)) if new and built else end)


def changed_days(settings: Settings) -> list[date]:
    """Built days whose events are not those that they were built from, in order."""
    lake = settings.lake
    return [day for day in built_days(settings) if note_of(lake.tiles(day)) != version(lake, day)]


def version(lake: Lake, day: date) -> str:
    """A digest of what the features read of a closed day: its rows, since when they are known, who brought them.

    In which files they lie does not matter.
    """
    partition = read_json(lake.partition(day))
    return hashlib.sha256(json.dumps([partition.get(name) for name in _READ]).encode()).hexdigest()


def require_closed(settings: Settings, span: Span) -> None:
    """Hold that ``span`` is closed and that everything before it is built.

    Raises:
        FeatureError: names the days that are missing and how to get them.
    """
    closed = set(settings.lake.closed_days())
    due = unbuilt_through(settings, span.start)
    missing = [day for day in (*Span(due.start, span.start).days(), *span.days()) if day not in closed]
    if missing:
        raise FeatureError(
            f"Features of {span} cannot be built: {_names(missing)} not closed.",
            "Ingest these days, or release one that cannot be had with 'penchant skip DAY --reason TEXT'.",
        )
    if due.start < span.start:
        raise FeatureError(
            f"Features of {span} chain on days before them, and those from {due.start} to "
            f"{span.start - timedelta(days=1)} are not built.",
            f"Build the span {due.start}..{span.end} instead.",
        )


def moments(settings: Settings, span: Span) -> pa.Table:
    """For each day of ``span`` the T of its rows and the moment since when they could be known.

    A row holds what up to ``max(window_days, late_days)`` days brought, so it is known when the last
    of their partitions is, and never before T: a late delivery makes the rebuilt rows of later days
    as young as itself.
    """
    back = timedelta(days=max(horizon_days(settings.window_days), settings.late_days))
    ahead = timedelta(days=1 if settings.tie_backwards else 0)
    closed = set(settings.lake.closed_days())
    spanned = Span(span.start - back, span.end + ahead)
    known = {day: known_at(settings.lake, day) for day in spanned.days() if day in closed}
    rows = []
    for day in span.days():
        end = day_end(day, settings.zone)
        before = (moment for other, moment in known.items() if day - back <= other <= day + ahead)
        rows.append({DAY: day, EVENT_TIMESTAMP: end, CREATED_TIMESTAMP: max(end, *before)})
    fields = [(DAY, pa.date32()), (EVENT_TIMESTAMP, _MOMENT), (CREATED_TIMESTAMP, _MOMENT)]
    return pa.Table.from_pylist(rows, pa.schema(fields))


def known_at(lake: Lake, day: date) -> datetime:
    """Since when the partition of the closed ``day`` is known as it is now, UTC."""
    return datetime.fromisoformat(read_json(lake.partition(day))["known_at"]).astimezone(UTC)


def _names(days: list[date]) -> str:
    more = f" and {len(days) - _SHOWN} more" if len(days) > _SHOWN else ""
    return f"{', '.join(map(str, days[:_SHOWN]))}{more} {'is' if len(days) == 1 else 'are'}"
