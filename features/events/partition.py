"""The partition: what is known of a closed day, counted from every file that holds events of it.

``partitions/D.json`` has ``day``, ``closed`` (rows, empty, skipped), ``reason``, ``rows``, ``users``
(distinct, guests not counted), ``guests`` (rows without a user), ``mix`` (event type -> rows),
``known_at`` (the latest knowledge time in it), ``deliveries``, ``by_source`` (source -> the figures of
``profile``) and ``gate`` (delivery -> verdict, null where the gate was left out).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import duckdb

from features.events.manifest import Closed, Manifest, read_published
from features.events.profile import Profile, profiles
from features.events.schema import EVENT_TYPE, INGESTED_AT, USER_ID
from features.events.scratch import listing
from infra.lake import Lake, write_json
from infra.partitions import day_end
from infra.settings import Settings

_VERDICT: Final = ("passed", "failed", "warnings", "docs")
_BATCH: Final = 500  # days counted in one query


def close(settings: Settings, days: Sequence[date]) -> None:
    """Write the partition of each day from the files that lie in it."""
    manifests: dict[str, Manifest] = {}
    for start in range(0, len(days), _BATCH):
        batch = days[start : start + _BATCH]
        files = [path for day in batch for path in _files(settings.lake, day)]
        with duckdb.connect(config={"threads": settings.threads, "memory_limit": settings.memory_limit}) as connection:
            counted, known = _counted(connection, files), profiles(connection, settings, files, batch)
        for day in batch:
            for path in _files(settings.lake, day):
                if path.stem not in manifests:
                    manifests[path.stem] = read_published(settings.lake, path.stem)
            here = [manifests[path.stem] for path in _files(settings.lake, day)]
            of_day = {source: profile for (known_day, source), profile in known.items() if known_day == day}
            write_json(settings.lake.partition(day), _partition(settings, day, counted.get(day), of_day, here))


_Row = Mapping[str, Any]


def _files(lake: Lake, day: date) -> list[Path]:
    """A file whose delivery has no manifest yet is one whose publishing was cut short: it waits for its re-run."""
    return sorted(path for path in lake.events_day(day).glob("*.parquet") if lake.manifest(path.stem).exists())


def _counted(connection: duckdb.DuckDBPyConnection, files: Sequence[Path]) -> dict[date, _Row]:
    """One row a day that has events."""
    if not files:
        return {}
    found = connection.execute(f"""
        SELECT CAST(regexp_extract(filename, 'dt=(\\d+-\\d+-\\d+)', 1) AS DATE) AS day, count(*) AS rows,
            count(DISTINCT {USER_ID}) AS users, count(*) FILTER ({USER_ID} IS NULL) AS guests,
            histogram({EVENT_TYPE}) AS mix, epoch_us(max({INGESTED_AT})) AS known
        FROM read_parquet({listing(list(files))}, filename = true) GROUP BY ALL
    """)
    names = [column[0] for column in found.description]
    rows = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
    return {row["day"]: row for row in rows}


def _partition(
    settings: Settings, day: date, total: _Row | None, by_source: Mapping[str, Profile], manifests: list[Manifest]
) -> dict[str, Any]:
    closed, reason = _closed(total, day, manifests)
    return {
        "day": str(day),
        "closed": closed,
        "reason": reason,
        "rows": total["rows"] if total else 0,
        "users": total["users"] if total else 0,
        "guests": total["guests"] if total else 0,
        "mix": total["mix"] if total else {},
        "known_at": _known_at(settings, day, total, manifests).isoformat(),
        "deliveries": [manifest.delivery_id for manifest in manifests],
        "by_source": dict(by_source),
        "gate": {manifest.delivery_id: _verdict(manifest) for manifest in manifests},
    }


def _verdict(manifest: Manifest) -> dict[str, Any] | None:
    """The outcome; every rule's figures stay in the delivery's manifest."""
    return {name: manifest.gate.get(name) for name in _VERDICT} if manifest.gate is not None else None


def _closed(total: _Row | None, day: date, manifests: list[Manifest]) -> tuple[Closed, str]:
    if total is not None:
        return "rows", ""
    said = [manifest for manifest in manifests if manifest.closed != "rows" and day in manifest.span]
    return (said[0].closed, said[0].reason) if said else ("empty", "the delivery has no rows of this day")


def _known_at(settings: Settings, day: date, total: _Row | None, manifests: list[Manifest]) -> datetime:
    if total is not None:
        return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=total["known"])
    if any(manifest.bulk for manifest in manifests):
        return day_end(day, settings.zone) + timedelta(minutes=settings.history_lag_minutes)
    return max(manifest.delivered_at for manifest in manifests)
