"""Rows out of the quarantine: taken again, after a rule or a source was mended, or dropped for good.

A replay is a delivery like any other, staged, gated and published: its rows are known from now on and keep
the ids that they had in the quarantine. Rows that are refused again stay in it, under the replay's name.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from features.events.delivery import delivery_id, describe, known_since
from features.events.ingest import ingest
from features.events.manifest import Manifest, read_published
from features.events.reading.parsed import FILE, ORIGINAL, POSITION
from features.events.schema import DELIVERY_ID, EVENT_ID
from infra.errors import DeliveryError
from infra.settings import Settings
from infra.spill import spilling
from validation.quarantine import Which, decide, refused

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Replay:
    """Rows of one delivery (of schema ``QUARANTINE``), and the delivery that they are taken with again."""

    rows: pa.Table
    manifest: Manifest


def stage_replay(settings: Settings, which: Which) -> list[Replay]:
    """Stage the open rows that ``which`` names, a delivery for each one that they came with.

    Gate and publish them as any delivery, then say so with ``settle``. Whoever dies in between does it again:
    the same rows are the same delivery.

    Raises:
        DeliveryError: there are none.
    """
    rows = _asked(settings, which)
    replays = []
    for delivery in rows[DELIVERY_ID].unique().to_pylist():
        own = rows.filter(pc.equal(rows[DELIVERY_ID], delivery))
        replays.append(Replay(own, _stage(settings, read_published(settings.lake, delivery), own.to_pylist())))
    return replays


def settle(settings: Settings, replay: Replay, actor: str, why: str) -> None:
    """Write down that the rows of a published replay are no longer open."""
    now = settings.shop_clock().now()
    decide(settings.lake, replay.rows, "replayed", at=now, actor=actor, why=why, into=replay.manifest.delivery_id)


def drop(settings: Settings, which: Which, actor: str, reason: str) -> int:
    """Decide that the open rows that ``which`` names will never be taken; returns how many.

    Raises:
        DeliveryError: there are none, or no reason is given.
    """
    if not reason.strip():
        raise DeliveryError("Rows cannot be dropped without a reason.", "Say why with --reason.")
    rows = _asked(settings, which)
    decide(settings.lake, rows, "dropped", at=settings.shop_clock().now(), actor=actor, why=reason.strip())
    return len(rows)


def _asked(settings: Settings, which: Which) -> pa.Table:
    rows = refused(settings.lake, which)
    if not len(rows):
        raise DeliveryError("No open row of the quarantine is meant.", "See which there are: penchant quarantine list.")
    return rows


def _stage(settings: Settings, first: Manifest, rows: list[Row]) -> Manifest:
    ids = pa.table(
        {
            POSITION: pa.array(range(1, len(rows) + 1), pa.int64()),
            EVENT_ID: pa.array([row[EVENT_ID] for row in rows], pa.string()),
        }
    )
    with spilling(settings) as folder:
        files = list(_written(folder, rows))
        described = describe(files, settings.unpacked_bytes)
        delivery = delivery_id(first.source, described, first.span, ids[EVENT_ID].to_pylist())
        return ingest(
            settings,
            first.source,
            files,
            first.span,
            bulk=False,
            delivered_at=known_since(settings, delivery, None),
            replayed=ids,
        )


def _written(folder: Path, rows: list[Row]) -> Iterator[Path]:
    """The originals as JSON lines, a file for each run of rows of one file: columns differ from file to file."""
    for number, (_name, found) in enumerate(groupby(rows, key=itemgetter(FILE))):
        path = folder / f"replay-{number:04}.jsonl"
        # parsed and written again, so that the same rows give the same bytes whatever wrote them
        lines = (json.dumps(json.loads(row[ORIGINAL]), sort_keys=True, ensure_ascii=False) for row in found)
        path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
        yield path
