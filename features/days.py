"""Which shop days are closed and built, and which moments their rows describe."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, Final

from features.knowledge import Knowledge, told_at
from features.service import service_version
from features.views import views_of
from infra.errors import FeatureError
from infra.lake import DAILY, Lake, dated, known_since, read_json, write_json
from infra.partitions import Span
from infra.settings import Settings

_SHOWN: Final = 10
_READ: Final = ("rows", "digest", "closed_at", "known_at", "known", "deliveries")


def built_days(settings: Settings) -> list[date]:
    """Days of which every feature view has its file, in order."""
    folders = (settings.lake.feature_folder(view.name) for view in views_of(settings))
    return sorted(
        set.intersection(*({day for day, path in dated(folder) if known_since(path) is None} for folder in folders))
    )


def unbuilt_through(settings: Settings, day: date) -> Span:
    """``day`` and the days before it that nobody has built yet: what must be built to have ``day``."""
    built = [known for known in _with_dailies(settings) if known < day]
    closed = [known for known in settings.lake.closed_days() if known < day]
    # a day in between of which a file is gone is none that was built
    gone = [known for known in set(closed) - set(built) if built and built[0] < known < built[-1]]
    start = min([*gone, built[-1] + timedelta(days=1)]) if built else min(closed, default=day)
    return Span(start, day + timedelta(days=1))


def due(settings: Settings, span: Span) -> Span:
    """What must be built to have ``span``: also closed days before it that nobody has built, days whose events
    changed since (a late row, a delivery that came again), and every day that was built after one of these.

    Whether they changed is told by what is noted of a day once all of its features are built.
    """
    start, end = min(span.start, unbuilt_through(settings, span.start).start), span.end
    built = _with_dailies(settings)
    changed = changed_days(settings)
    start = min([start, *changed])
    before = start - timedelta(days=1)
    if settings.tie_backwards and before in built:  # its logins may name guests of the day before
        start = before
    new = changed or set(Span(start, end).days()) - set(built)
    return Span(start, max(end, built[-1] + timedelta(days=1)) if new and built else end)


def changed_days(settings: Settings) -> list[date]:
    """Built days whose events are not those that they were built from, or that were built otherwise, in order."""
    return [day for day in built_days(settings) if _built(settings.lake, day) != version(settings, day)]


def version(settings: Settings, day: date) -> dict[str, Any]:
    """What the features of a closed day are made from: its rows, since when they are known, who brought them, and
    by which definitions. In which files the rows lie does not matter.
    """
    partition = read_json(settings.lake.partition(day))
    return {**{name: partition.get(name) for name in _READ}, "definitions": service_version(settings)}


def mark_built(settings: Settings, versions: Mapping[date, Mapping[str, Any]]) -> None:
    """Note what the features of some days were made from, once all of them are written."""
    for day, made_from in versions.items():
        if _built(settings.lake, day) != made_from:
            write_json(settings.lake.built(day), made_from)


def forget_built(settings: Settings, span: Span) -> None:
    """Before any of their files is written again: days of which a build is killed in the midst of it are due."""
    for day in span.days():
        settings.lake.built(day).unlink(missing_ok=True)


def new_since(settings: Settings, knowledge: Knowledge, span: Span) -> int | None:
    """From when on what is known of ``span`` is not built yet, microseconds since 1970 UTC.

    None: something that was built was taken back, or is defined otherwise; so everything has to be built again.
    """
    built, moments = set(_with_dailies(settings)), []
    for day in span.days():
        was, now = _built(settings.lake, day), version(settings, day)
        if day not in built or was is None:
            moments.append(knowledge.closed[day])
        elif was != now:
            added = _added(was, now)
            if not added:
                return None
            moments += added
    return min(moments, default=max(knowledge.closed.values(), default=0) + 1)


def _added(was: Mapping[str, Any], now: Mapping[str, Any]) -> list[int]:
    """What came to a day since it was built, if that is all that changed; else nothing."""
    before, after = was.get("known") or [], now.get("known") or []
    if after[: len(before)] != before or any(was.get(name) != now.get(name) for name in ("definitions", "closed_at")):
        return []
    return [told_at(entry["at"]) for entry in after[len(before) :]]


def _with_dailies(settings: Settings) -> list[date]:
    """Those of the days that are built whose tiles and the like are there, in order: later days rest on them."""
    return [day for day in built_days(settings) if all(settings.lake.daily(kind, day).exists() for kind in DAILY)]


def _built(lake: Lake, day: date) -> dict[str, Any] | None:
    path = lake.built(day)
    return dict(read_json(path)) if path.exists() else None


def require_built(settings: Settings, span: Span) -> None:
    """Hold that the features of every day of ``span`` are there, whole, and as they are defined now.

    Late rows that came since a day was built do not matter: they are known from then on, and the next build adds them.

    Raises:
        FeatureError: names the days of which they are not, and how to get them.
    """
    built, present = set(built_days(settings)), service_version(settings)
    notes = {day: _built(settings.lake, day) if day in built else None for day in span.days()}
    missing = [day for day, note in notes.items() if note is None]
    others = [day for day, note in notes.items() if note is not None and note.get("definitions") != present]
    if missing or others:
        said = "not built" if missing else "built by other definitions or settings"
        raise FeatureError(
            f"Features of {span} cannot be read: {_names(missing or others)} {said}.",
            f"Run build_features, or 'penchant ingest --day {span.end - timedelta(days=1)} --features': it builds all "
            "days that are due.",
        )


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


def _names(days: list[date]) -> str:
    more = f" and {len(days) - _SHOWN} more" if len(days) > _SHOWN else ""
    return f"{', '.join(map(str, days[:_SHOWN]))}{more} {'is' if len(days) == 1 else 'are'}"
