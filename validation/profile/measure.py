"""Measures a span of closed days: what it holds, and what became of everything that was delivered for it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Final

import duckdb

from features.events.log import event_files
from features.events.manifest import Manifest, read_published
from features.events.schema import CURRENCY, DWELL_MS, EVENT_TYPE, PRICE, QUANTITY
from infra.errors import SettingsError
from infra.lake import Lake, read_json
from infra.partitions import Span
from infra.settings import Settings
from validation.profile.counts import COURSE, EVENTS, KNOWN, bins, distinct, hours, mix, opened, spreads
from validation.profile.course import course
from validation.profile.deliveries import deliveries
from validation.profile.findings import Profile, Spread
from validation.profile.quality import Marker
from validation.profile.sessions import sessions

#: Milliseconds, four steps to a factor of ten, up to a day and more.
DWELL_EDGES: Final = (0, *dict.fromkeys(round(10 ** (step / 4)) for step in range(33)))


def measure(settings: Settings, span: Span) -> Profile:
    """Measure the days of ``span``; the same lake gives the same profile.

    Raises:
        SettingsError: the span holds no day.
        FeatureError: days of the span are not closed.
        MachineError: DuckDB needs more memory than the settings allow.
    """
    if not len(span):
        raise SettingsError(f"The span {span} holds no day.", "Its end is the day after the last one.")
    lake = settings.lake
    files = event_files(lake, span)
    markers = {day: read_json(lake.partition(day)) for day in lake.closed_days() if day < span.end}
    names = sorted({name for marker in markers.values() for name in marker["deliveries"]})
    manifests = {name: read_published(lake, name) for name in names}
    seen = {day: markers[day] for day in list(markers)[-max(settings.profile_days, len(span)) :]}
    views = {EVENTS: files, COURSE: _files(lake, seen), KNOWN: _files(lake, markers)}
    delivered = deliveries(span, markers, manifests)
    with opened(settings, views) as connection:
        return Profile(
            start=span.start,
            end=span.end,
            time_zone=settings.timezone,
            digest=_digest(lake, names),
            manifests=len(names),
            earlier_days=sum(day < span.start for day in markers),
            sources=tuple(sorted({one.source for one in delivered})),
            deliveries=delivered,
            **_course(connection, lake, span, seen, manifests),
            **_contents(connection),
        )


def _course(
    connection: duckdb.DuckDBPyConnection,
    lake: Lake,
    span: Span,
    markers: Mapping[date, Marker],
    manifests: Mapping[str, Manifest],
) -> dict[str, Any]:
    days, of_no_day = course(connection, lake, markers, manifests)
    own = [day for day in days if day.day in span]
    return {
        "rows": sum(day.rows for day in own),
        "guests": sum(day.guests for day in own),
        "course": days,
        "of_no_day": of_no_day,
    }


def _contents(connection: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    users, items = distinct(connection)
    dwell = spreads(connection, EVENTS, "'dwell time'", DWELL_MS, "'milliseconds'")
    return {
        "users": users,
        "items": items,
        "hours": hours(connection),
        "mix": mix(connection),
        "sessions": sessions(connection),
        "dwell": dwell[0] if dwell else None,
        "dwell_bins": bins(connection, EVENTS, DWELL_MS, DWELL_EDGES),
        "amounts": _amounts(connection),
    }


def _amounts(connection: duckdb.DuckDBPyConnection) -> tuple[Spread, ...]:
    """Prices and quantities by event type; money of different currencies is not mixed."""
    currency = f"'minor units of ' || coalesce({CURRENCY}, '?')"
    prices = spreads(connection, EVENTS, f"'price, ' || {EVENT_TYPE}", PRICE, currency)
    return (*prices, *spreads(connection, EVENTS, f"'quantity, ' || {EVENT_TYPE}", QUANTITY, "'pieces'"))


def _files(lake: Lake, days: Iterable[date]) -> list[Path]:
    return [path for day in days for path in event_files(lake, Span.of_day(day))]


def _digest(lake: Lake, names: Sequence[str]) -> str:
    """Of the manifests' content, in order of their ids."""
    digest = hashlib.sha256()
    for name in names:
        digest.update(lake.manifest(name).read_bytes())
    return digest.hexdigest()
