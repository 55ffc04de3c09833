"""Retention: what the lake keeps, for how long, and what goes when its time is over.

Each kind has its lifetime in the settings (``keep_…``; 0: for ever), by the shop's clock; only what a
kill left goes by file time. For ever stay events, items, manifests, partitions and the markers of
landing folders: from them everything else can be told.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from features.events.keeping.emptied import empty, is_empty
from features.events.keeping.landed import retire_landed
from features.events.keeping.leftovers import leftovers, replaced
from features.events.keeping.removal import Removed, take_away, touched
from features.events.manifest import published
from infra.lake import read_json
from infra.locks import one_at_a_time
from infra.settings import Settings

#: In the folder of a report: ``{"made_at": …}``, the shop's moment. A report without one goes by file time.
MADE_MARKER: Final = "made.json"


@dataclass(frozen=True)
class Retired:
    """What went of each kind, or would go in a dry run; of quarantine, the files that were emptied."""

    landing: Removed
    quarantine: Removed
    reports: Removed
    replaced: Removed
    leftovers: Removed


def retire(settings: Settings, now: datetime, file_time: datetime, *, dry_run: bool = False) -> Retired:
    """Remove what had its time, at most ``removals_a_run`` of each kind, by name.

    Args:
        now: the shop's moment.
        file_time: what the clock of the file system shows.
    """
    # two runs at once would take the same files away
    with nullcontext() if dry_run else one_at_a_time(settings, "keep"):
        return Retired(
            landing=_landing(settings, now, dry_run=dry_run),
            quarantine=_quarantine(settings, now, dry_run=dry_run),
            reports=_reports(settings, now, file_time, dry_run=dry_run),
            **_unread(settings, file_time, dry_run=dry_run),
        )


def _landing(settings: Settings, now: datetime, *, dry_run: bool) -> Removed:
    if not settings.keep_landing_days:
        return Removed()
    return retire_landed(settings, now - timedelta(days=settings.keep_landing_days), dry_run=dry_run)


def _quarantine(settings: Settings, now: datetime, *, dry_run: bool) -> Removed:
    if not settings.keep_quarantine_days:
        return Removed()
    before = now - timedelta(days=settings.keep_quarantine_days)
    old = [settings.lake.quarantine(one.delivery_id) for one in published(settings.lake) if one.delivered_at < before]
    full = [path for path in old if path.exists() and not is_empty(path)]
    return take_away(full, settings.removals_a_run, dry_run=dry_run, how=empty)


def _reports(settings: Settings, now: datetime, file_time: datetime, *, dry_run: bool) -> Removed:
    if not settings.keep_reports_days:
        return Removed()
    lifetime = timedelta(days=settings.keep_reports_days)
    made = sorted(path for path in settings.lake.reports.glob("*/*") if not path.name.startswith("."))
    old = [path for path in made if _age(path, now, file_time) > lifetime]
    return take_away(old, settings.removals_a_run, dry_run=dry_run)


def _age(report: Path, now: datetime, file_time: datetime) -> timedelta:
    marker = report / MADE_MARKER
    if marker.exists():
        return now - datetime.fromisoformat(read_json(marker)["made_at"])
    return file_time - datetime.fromtimestamp(touched(report), UTC)


def _unread(settings: Settings, file_time: datetime, *, dry_run: bool) -> dict[str, Removed]:
    """What nobody reads any more; publishing waits, since it moves files before anything names them."""
    before = (file_time - timedelta(hours=settings.keep_leftovers_hours)).timestamp()
    lake = settings.lake
    with nullcontext() if dry_run else one_at_a_time(settings, "publish"):
        kinds = {
            "replaced": [path for day in lake.days_with_events() for path in replaced(lake, day, before)],
            "leftovers": leftovers(lake, before),
        }
        return {kind: take_away(paths, settings.removals_a_run, dry_run=dry_run) for kind, paths in kinds.items()}
