"""Publish: staged deliveries that passed the gate move into the lake, and their days are closed.

Order makes it safe to kill anywhere and run again: files move first, each at once; then the manifest;
then the partition of every day, which is what readers go by; the staging folder goes last.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any, Final

import duckdb

from features.events.log import listed
from features.events.manifest import STAGED_MANIFEST, Manifest, read_manifest
from features.events.partition import close
from features.events.reading.parsed import DAY
from features.events.route import others
from features.events.schema import EVENT_ID
from features.events.scratch import DAY_OF_FILE, read_parquet
from features.events.staging import STAGED_ALIASES, STAGED_ITEMS, STAGED_QUARANTINE, staged_day
from infra.errors import DeliveryError, PartitionRefused
from infra.lake import Lake, read_json
from infra.locks import one_at_a_time
from infra.settings import Settings


class Overtaken(PartitionRefused):
    """Another delivery brought some of the events since this one was staged; staged again, it may pass."""


#: The gate's verdict on a staged delivery, beside its manifest.
STAGED_GATE: Final = "gate.json"


def publish(settings: Settings, deliveries: Sequence[str], *, gated: bool = True) -> list[date]:
    """Move deliveries of one span into the lake and close its days.

    Args:
        deliveries: ids of everything that was staged for the span; published ones may be among them.
        gated: insist on a verdict of the gate; without, the partitions say that there was none.

    Returns:
        The days whose partition was written: the span's, and closed days that got late or early rows.

    Raises:
        PartitionRefused: the gate has not passed one of them; nothing has moved.
        Overtaken: another delivery brought some of its events since it was staged; nothing has moved.
        DeliveryError: a delivery that was never staged, or whose files are gone.
    """
    manifests = [_judged(settings.lake, delivery, gated=gated) for delivery in deliveries]
    with one_at_a_time(settings, "publish"):
        for manifest in manifests:
            _require_new(settings.lake, manifest)
        for manifest in manifests:
            _move(settings.lake, manifest)
            manifest.write(settings.lake.manifest(manifest.delivery_id))
        closing = {day for manifest in manifests if manifest.closes for day in manifest.span.days()}
        touched = {day for manifest in manifests for day in manifest.days}
        days = sorted(day for day in touched if day in closing or settings.lake.partition(day).exists())
        close(settings, days, [manifest.delivery_id for manifest in manifests])
        for manifest in manifests:
            _forget(settings.lake.staging(manifest.delivery_id))
    return days


def _judged(lake: Lake, delivery: str, *, gated: bool) -> Manifest:
    manifest = read_manifest(lake, delivery)
    path = lake.staging(delivery) / STAGED_GATE
    gate: dict[str, Any] | None = read_json(path) if path.exists() else None
    if gate is None and manifest.gate is not None:
        return manifest  # published before
    if gated and gate is None:
        raise PartitionRefused(f"The gate has not seen {delivery} ({manifest.span}).", "Run the gate, then publish.")
    if gated and gate is not None and not gate["passed"]:
        raise PartitionRefused(
            f"The gate refused {delivery} ({manifest.span}): {', '.join(gate['failed'])}.",
            f"See {gate['docs']}; mend the source and ingest again.",
        )
    return manifest.model_copy(update={"gate": gate})


def _require_new(lake: Lake, manifest: Manifest) -> None:
    """Two deliveries that were staged side by side did not see each other: the later one has to be staged again."""
    folder = lake.staging(manifest.delivery_id)
    staged = [path for day in manifest.days if (path := staged_day(folder, day)).exists()]
    if not staged:
        return
    known = others(lake, list(manifest.days), manifest.delivery_id, ())
    if not known:
        return
    with duckdb.connect() as connection:
        connection.execute("SET enable_progress_bar = false")
        found = connection.execute(
            f"SELECT count(*) FROM (SELECT *, {DAY_OF_FILE} AS {DAY} FROM {read_parquet(staged, 'filename')}) "
            f"SEMI JOIN ({known}) AS known USING ({EVENT_ID}, {DAY})"
        ).fetchall()
    if count := found[0][0]:
        raise Overtaken(
            f"{count} events of {manifest.delivery_id} ({manifest.span}) came with another delivery meanwhile.",
            "Ingest it again: they are duplicates now.",
        )


def _move(lake: Lake, manifest: Manifest) -> None:
    delivery = manifest.delivery_id
    folder = lake.staging(delivery)
    # of a delivery that was published before, the own files of some days may have been merged with others
    merged = {lake.events(day, delivery) for day in manifest.days if delivery in listed(lake, day).inside}
    moves = {staged_day(folder, day): lake.events(day, delivery) for day in manifest.days}
    moves[folder / STAGED_ITEMS] = lake.items(delivery)
    moves[folder / STAGED_QUARANTINE] = lake.quarantine(delivery)
    for staged, target in moves.items():
        if staged.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            staged.replace(target)
        elif not target.exists() and target not in merged:
            raise DeliveryError(f"{staged} is gone, and {target} is not there either.", "Ingest the delivery again.")
    if (folder / STAGED_ALIASES).exists():  # only replays have any
        lake.aliases(delivery).parent.mkdir(parents=True, exist_ok=True)
        (folder / STAGED_ALIASES).replace(lake.aliases(delivery))


def _forget(folder: Path) -> None:
    """Remove a staging folder, its manifest last: until then a re-run finds what it needs."""
    if not folder.exists():
        return
    for path in sorted(folder.iterdir(), key=lambda path: path.name == STAGED_MANIFEST):
        path.unlink()
    folder.rmdir()
