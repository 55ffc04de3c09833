"""The course of time: for each closed day its rows, guests, newcomers, and how good what arrived was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import duckdb

from features.events.manifest import Manifest
from features.events.schema import ITEM_ID, USER_ID
from infra.lake import Lake
from validation.profile import quality
from validation.profile.counts import newcomers, volume
from validation.profile.findings import Day
from validation.profile.quality import FAULTS, Marker


def course(
    connection: duckdb.DuckDBPyConnection, lake: Lake, markers: Mapping[date, Marker], manifests: Mapping[str, Manifest]
) -> tuple[tuple[Day, ...], dict[str, int]]:
    """The days of ``markers`` (closed day -> its partition), and rows of their deliveries that count for no day.

    Args:
        manifests: of the deliveries that the markers name, and of others.
    """
    counted = _counted(connection)
    faults = quality.by_day(connection, lake, _delivered(markers, manifests))
    days = []
    for day, marker in markers.items():
        said = {"day": day, "closed": marker["closed"], "reason": marker["reason"]}
        found = {name: by_day.get(day, 0) for name, by_day in counted.items()} | {
            name: faults[day, name] for name in FAULTS
        }
        days.append(Day.model_validate(said | found | quality.verdicts(day, marker, manifests)))
    return tuple(days), {name: faults[None, name] for name in FAULTS if faults[None, name]}


def _counted(connection: duckdb.DuckDBPyConnection) -> dict[str, dict[date, int]]:
    """Rows, guests, new users and new items, each by day."""
    found = volume(connection)
    return {
        "rows": {day: rows for day, (rows, _) in found.items()},
        "guests": {day: guests for day, (_, guests) in found.items()},
        "new_users": newcomers(connection, USER_ID),
        "new_items": newcomers(connection, ITEM_ID),
    }


def _delivered(markers: Mapping[date, Any], manifests: Mapping[str, Manifest]) -> Sequence[Manifest]:
    return [manifests[name] for name in sorted({name for marker in markers.values() for name in marker["deliveries"]})]
