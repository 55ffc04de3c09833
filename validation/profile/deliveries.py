"""Where every row of a span's deliveries went, as their manifests have it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Final

from features.events.manifest import Manifest
from infra.partitions import Span
from validation.profile.findings import Delivery
from validation.profile.quality import Marker

FATES: Final = ("accepted", "duplicate", "late", "early", "quarantined")


def deliveries(span: Span, markers: Mapping[date, Marker], manifests: Mapping[str, Manifest]) -> tuple[Delivery, ...]:
    """Deliveries with a file in one of the days of ``span``, by the first such day, then id."""
    names = dict.fromkeys(name for day in span.days() for name in markers[day]["deliveries"])
    return tuple(_delivery(manifests[name], span) for name in names)


def _delivery(manifest: Manifest, span: Span) -> Delivery:
    written = (manifest.accepted_by_day, manifest.late_by_day, manifest.early_by_day)
    return Delivery(
        delivery_id=manifest.delivery_id,
        source=manifest.source,
        span=str(manifest.span),
        bulk=manifest.bulk,
        files=tuple(file.name for file in manifest.files),
        ignored_files=manifest.ignored_files,
        by_reason=manifest.quarantined_by_reason,
        here=sum(rows for by_day in written for day, rows in by_day.items() if day in span),
        rows_in=manifest.rows_in,
        **{fate: getattr(manifest, fate) for fate in FATES},
    )
