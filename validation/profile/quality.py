"""How good what arrived was, day by day: from manifests, quarantine and the gate's verdicts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final

import duckdb

from features.events.manifest import Manifest
from features.events.reading.parsed import DAY
from features.events.schema import DELIVERY_ID
from features.events.scratch import read_parquet
from infra.lake import Lake

QUARANTINED: Final = "quarantined"
DUPLICATE: Final = "duplicate"
LATE: Final = "late"
FAULTS: Final = (QUARANTINED, DUPLICATE, LATE)

Marker = Mapping[str, Any]


def by_day(
    connection: duckdb.DuckDBPyConnection, lake: Lake, manifests: Sequence[Manifest]
) -> Counter[tuple[date | None, str]]:
    """Rows that were quarantined, duplicate or late, by the day that they count for (see ``findings.Day``) or None."""
    found: Counter[tuple[date | None, str]] = Counter()
    refused = _refused(connection, lake, manifests)
    for manifest in manifests:
        own = manifest.span_start if len(manifest.span) == 1 else None
        found[own, DUPLICATE] += manifest.duplicate
        for day, rows in refused.get(manifest.delivery_id, {}).items():
            found[day or own, QUARANTINED] += rows
        for day, rows in manifest.late_by_day.items():
            found[day, LATE] += rows
    return found


def verdicts(day: date, marker: Marker, manifests: Mapping[str, Manifest]) -> dict[str, Any]:
    """What the gate said of the deliveries for a day; those that only brought late or early rows are left out."""
    said = [verdict for name, verdict in marker["gate"].items() if verdict is not None and day in manifests[name].span]
    return {
        "judged": bool(said),
        "warnings": sum(len(verdict["warnings"]) for verdict in said),
        "failures": sum(len(verdict["failed"]) for verdict in said),
    }


def _refused(
    connection: duckdb.DuckDBPyConnection, lake: Lake, manifests: Sequence[Manifest]
) -> dict[str, dict[date | None, int]]:
    """By delivery: quarantined rows by their day, which is None where their time is of no use."""
    files = [lake.quarantine(manifest.delivery_id) for manifest in manifests if manifest.quarantined]
    counted: dict[str, dict[date | None, int]] = {}
    if files:
        query = f"SELECT {DELIVERY_ID}, {DAY}, count(*) FROM {read_parquet(files)} GROUP BY ALL"
        for delivery, day, rows in connection.execute(query).fetchall():
            counted.setdefault(delivery, {})[day] = rows
    return counted
