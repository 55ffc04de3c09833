"""The partition: what is known of a closed day, counted from every file that holds events of it.

``partitions/D.json`` has ``day``, ``closed`` (rows, empty, skipped), ``reason``, ``rows``, ``users``
(distinct, guests not counted), ``guests`` (rows without a user), ``mix`` (event type -> rows),
``digest`` (of the rows, whatever files they lie in), ``closed_at`` (since when the day was closed),
``known_at`` (the latest knowledge time in it), ``known`` (each knowledge time, with its rows and their digest; a
delivery that brought none, too),
``deliveries`` (all that brought something), ``files`` (names of those that readers take: of one
delivery each, or merged from several), ``by_source`` (source -> the figures of ``day_figures``) and ``gate``
(delivery -> verdict, null where the gate was left out).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import duckdb

from features.events.day_figures import Profile, profiles
from features.events.keeping.counting import NO_ROWS, Row, count_days
from features.events.keeping.merging import merge
from features.events.log import DayFiles, present
from features.events.manifest import Closed, Manifest, read_published
from infra.lake import write_json
from infra.partitions import day_end
from infra.settings import Settings

_VERDICT: Final = ("passed", "failed", "warnings", "docs")
_BATCH: Final = 500  # days counted in one query


def close(settings: Settings, days: Sequence[date], came: Sequence[str] = ()) -> None:
    """Write the partition of each day from the files that lie in it.

    Args:
        came: deliveries that were just published. What one of them brought before may have been merged
            with others' rows: its new file takes the place of those.
    """
    manifests: dict[str, Manifest] = {}
    for start in range(0, len(days), _BATCH):
        files = {day: _laid_out(settings, day, came) for day in days[start : start + _BATCH]}
        paths = [path for found in files.values() for path in found.files]
        with duckdb.connect(config={"threads": settings.threads, "memory_limit": settings.memory_limit}) as connection:
            counted, known = count_days(connection, paths), profiles(connection, settings, paths, list(files))
        for day, found in files.items():
            for delivery in found.deliveries:
                if delivery not in manifests:
                    manifests[delivery] = read_published(settings.lake, delivery)
            here = [manifests[delivery] for delivery in found.deliveries]
            of_day = {source: profile for (known_day, source), profile in known.items() if known_day == day}
            write_json(settings.lake.partition(day), _partition(settings, found, day, counted.get(day), of_day, here))


def _laid_out(settings: Settings, day: date, came: Sequence[str]) -> DayFiles:
    found = present(settings.lake, day)
    paths = [settings.lake.events(day, delivery) for delivery in came if delivery in found.inside]
    renewed = [path for path in paths if path.exists()]
    return replace(found, merged=(merge(settings, day, found.merged, renewed),)) if renewed else found


def _partition(
    settings: Settings,
    files: DayFiles,
    day: date,
    total: Row | None,
    by_source: Mapping[str, Profile],
    manifests: list[Manifest],
) -> dict[str, Any]:
    closed, reason = _closed(total, day, manifests)
    return {
        "day": str(day),
        "closed": closed,
        "reason": reason,
        "rows": total["rows"] if total else 0,
        "digest": total["digest"] if total else NO_ROWS,
        "users": total["users"] if total else 0,
        "guests": total["guests"] if total else 0,
        "mix": total["mix"] if total else {},
        "closed_at": min(_known_since(settings, day, found) for found in _closing(day, manifests)).isoformat(),
        "known_at": _known_at(settings, day, total, manifests).isoformat(),
        "known": _known(total, manifests),
        "deliveries": files.deliveries,
        "files": [path.name for path in files.files],
        "by_source": dict(by_source),
        "gate": {manifest.delivery_id: _verdict(manifest) for manifest in manifests},
    }


def _verdict(manifest: Manifest) -> dict[str, Any] | None:
    """The outcome; every rule's figures stay in the delivery's manifest."""
    return {name: manifest.gate.get(name) for name in _VERDICT} if manifest.gate is not None else None


def _closed(total: Row | None, day: date, manifests: list[Manifest]) -> tuple[Closed, str]:
    if total is not None:
        return "rows", ""
    said = [manifest for manifest in manifests if manifest.closed != "rows" and day in manifest.span]
    return (said[0].closed, said[0].reason) if said else ("empty", "the delivery has no rows of this day")


def _known_at(settings: Settings, day: date, total: Row | None, manifests: list[Manifest]) -> datetime:
    if total is not None:
        return _moment(max(total["known"]))
    return max(_known_since(settings, day, manifest) for manifest in manifests)


def _known_since(settings: Settings, day: date, manifest: Manifest) -> datetime:
    if manifest.bulk:
        return day_end(day, settings.zone) + timedelta(minutes=settings.history_lag_minutes)
    return manifest.delivered_at


def _closing(day: date, manifests: list[Manifest]) -> list[Manifest]:
    """The deliveries that closed the day; what came before any of them was early."""
    return [manifest for manifest in manifests if manifest.closes and day in manifest.span] or manifests


def _known(total: Row | None, manifests: list[Manifest]) -> list[dict[str, Any]]:
    rows = total["known"] if total is not None else {}
    silent = {_microseconds(manifest.delivered_at) for manifest in manifests if not manifest.bulk} - set(rows)
    found = {**rows, **dict.fromkeys(silent, (0, NO_ROWS))}
    return [
        {"at": _moment(moment).isoformat(), "rows": found[moment][0], "digest": found[moment][1]}
        for moment in sorted(found)
    ]


def _moment(microseconds: int) -> datetime:
    return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=microseconds)


def _microseconds(moment: datetime) -> int:
    return (moment - datetime.fromtimestamp(0, UTC)) // timedelta(microseconds=1)
