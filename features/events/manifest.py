"""The accounting of one delivery: every row that came in is found again under exactly one heading."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict

from features.events.cleaning.learned import Learned
from infra.errors import DeliveryError
from infra.lake import Lake, read_json, write_json
from infra.partitions import Span

STAGED_MANIFEST: Final = "manifest.json"
_LOOKED_BACK: Final = 28  # days

Closed = Literal["rows", "empty", "skipped"]


class SourceFile(BaseModel):
    """One file of a delivery: its name, its size in bytes and its digest."""

    model_config = ConfigDict(frozen=True)

    name: str
    bytes: int
    sha256: str


class Manifest(BaseModel):
    """What came in and where it went.

    ``rows_in = accepted + duplicate + late + early + quarantined``. A row that is refused for several
    reasons is listed in the quarantine with all of them and counted here under the first, so that
    ``quarantined_by_reason`` adds up as well. A replay of rows out of the quarantine ``closes`` no days.
    ``catalogue`` counts rows of files that describe items: ``rows = taken + unused + refused``; ``cleaned``
    counts values of taken rows that the cleaning policy changed or flagged, by column and by what was done;
    ``learned`` is what it went by.
    """

    model_config = ConfigDict(frozen=True)

    delivery_id: str
    source: str
    files: tuple[SourceFile, ...]
    span_start: date
    span_end: date
    bulk: bool
    closes: bool = True
    delivered_at: datetime
    ingested_at_rule: str
    rule_version: str
    closed: Closed = "rows"
    reason: str = ""
    ignored_files: tuple[str, ...] = ()
    rows_in: int = 0
    accepted: int = 0
    duplicate: int = 0
    late: int = 0
    early: int = 0
    quarantined: int = 0
    accepted_by_day: Mapping[date, int] = {}
    late_by_day: Mapping[date, int] = {}
    early_by_day: Mapping[date, int] = {}
    quarantined_by_reason: Mapping[str, int] = {}
    catalogue: Mapping[str, int] = {}
    cleaned: Mapping[str, Mapping[str, int]] = {}
    learned: Learned = Learned()
    gate: Mapping[str, Any] | None = None

    @property
    def span(self) -> Span:
        return Span(self.span_start, self.span_end)

    @property
    def days(self) -> list[date]:
        """Every day that has a file in this delivery: those of its rows, and of a span that it closes all."""
        closed = self.span.days() if self.closes else ()
        return sorted({*closed, *self.accepted_by_day, *self.late_by_day, *self.early_by_day})

    def check_sum(self) -> None:
        """Hold the identity.

        Raises:
            DeliveryError: rows were lost or counted twice.
        """
        found = self.accepted + self.duplicate + self.late + self.early + self.quarantined
        parts = (
            (self.accepted, self.accepted_by_day),
            (self.late, self.late_by_day),
            (self.early, self.early_by_day),
            (self.quarantined, self.quarantined_by_reason),
        )
        if found != self.rows_in or any(total != sum(counts.values()) for total, counts in parts):
            raise DeliveryError(
                f"Delivery {self.delivery_id} does not add up: {self.rows_in} rows in; {self.accepted} accepted, "
                f"{self.duplicate} duplicate, {self.late} late, {self.early} early, {self.quarantined} quarantined.",
                "Nothing was taken; this is a fault of the ingest, report it with the manifest.",
            )

    def write(self, path: Path) -> None:
        write_json(path, self.model_dump(mode="json"))


def known(lake: Lake, delivery_id: str) -> Manifest | None:
    """The staged manifest, else the published one, if there is either."""
    for path in (lake.staging(delivery_id) / STAGED_MANIFEST, lake.manifest(delivery_id)):
        if path.exists():
            return Manifest.model_validate(read_json(path))
    return None


def read_manifest(lake: Lake, delivery_id: str) -> Manifest:
    """The staged manifest, else the published one.

    Raises:
        DeliveryError: there is no such delivery.
    """
    found = known(lake, delivery_id)
    if found is None:
        raise DeliveryError(f"There is no delivery {delivery_id} in {lake.root}.", "Ingest its files first.")
    return found


def learned_before(lake: Lake, manifest: Manifest, policy: str) -> Learned:
    """What the last delivery of the same source taught the same ``policy``, among the closed days just before."""
    days = [day for day in lake.closed_days() if day < manifest.span_start]
    for day in reversed(days[-_LOOKED_BACK:]):
        for delivery in reversed(read_json(lake.partition(day))["deliveries"]):
            found = read_published(lake, delivery)
            if found.source == manifest.source and found.learned.policy == policy:
                return found.learned
    return Learned()


def read_published(lake: Lake, delivery_id: str) -> Manifest:
    """The manifest of a published delivery."""
    return Manifest.model_validate(read_json(lake.manifest(delivery_id)))


def published(lake: Lake) -> list[Manifest]:
    """Manifests of all published deliveries, by id."""
    return [Manifest.model_validate(read_json(path)) for path in lake.published()]
