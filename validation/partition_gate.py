"""The partition gate: what is staged is checked before anything downstream sees it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from features.events.keeping.retention import MADE_MARKER
from features.events.manifest import STAGED_MANIFEST, Manifest, read_manifest
from features.events.publish import STAGED_GATE
from infra.errors import DeliveryError
from infra.lake import write_json
from infra.partitions import Span
from infra.settings import Settings
from validation.expectations import Suites
from validation.gate_result import GateResult
from validation.judge import judge

_REPORTS: Final = "gate"


def check(settings: Settings, delivery_id: str, span: Span, *, docs: bool = False) -> GateResult:
    """Check a staged delivery and leave the verdict beside it, where publish looks for it.

    Args:
        docs: build data docs in any case; they are always built when a critical rule is broken.

    Raises:
        DeliveryError: there is no such delivery, or it is for another span.
    """
    staged = settings.lake.staging(delivery_id) / STAGED_MANIFEST
    before = _stamp(staged)
    try:
        return _check(settings, delivery_id, span, docs=docs)
    except Exception:
        if _stamp(staged) == before:
            raise
        # whoever took the same delivery at the same time put its files in the place of ours, or published them
        return _check(settings, delivery_id, span, docs=docs)


def _stamp(path: Path) -> int | None:
    return path.stat().st_mtime_ns if path.exists() else None


def _check(settings: Settings, delivery_id: str, span: Span, *, docs: bool) -> GateResult:
    manifest = read_manifest(settings.lake, delivery_id)
    if manifest.span != span:
        raise DeliveryError(f"Delivery {delivery_id} is for {manifest.span}, not {span}.", "Check the days asked for.")
    suites = Suites()
    result = verdict(settings, manifest, suites)
    if docs or result.failed:
        result = result.model_copy(update={"docs": write_docs(settings, suites, delivery_id)})
    staging = settings.lake.staging(delivery_id)
    if staging.exists():
        write_json(staging / STAGED_GATE, result.model_dump(mode="json"))
    return result


def verdict(settings: Settings, manifest: Manifest, suites: Suites) -> GateResult:
    """Judge one delivery, staged or published; nothing is written."""
    return GateResult.of(manifest.delivery_id, str(manifest.span), tuple(judge(settings, manifest, suites)))


def write_docs(settings: Settings, suites: Suites, name: str) -> str:
    """Build the data docs of what was judged; return the page to open first, relative to the lake."""
    folder = settings.lake.reports / _REPORTS / name
    page = suites.write_docs(folder)
    write_json(folder / MADE_MARKER, {"made_at": settings.shop_clock().now().isoformat()})
    return str(page.relative_to(settings.lake.root))
