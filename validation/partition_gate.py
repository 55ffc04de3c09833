"""The partition gate: what is staged is checked before anything downstream sees it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import pyarrow as pa

from features.events.manifest import Manifest, read_manifest
from features.events.publish import STAGED_GATE
from features.events.retention import MADE_MARKER
from features.events.schema import EVENT_TYPE, EVENT_TYPES, USER_ID
from infra.errors import DeliveryError
from infra.lake import write_json
from infra.partitions import Span
from infra.settings import Settings
from validation import batch
from validation.expectations import Outcome, Suites
from validation.gate_result import GateResult, RuleResult
from validation.history import ENOUGH_DAYS, figures, history_rules, past_days
from validation.rules import FILE_DAY, Severity, event_rules, schema_rules

_REPORTS: Final = "gate"


def check(settings: Settings, delivery_id: str, span: Span, *, docs: bool = False) -> GateResult:
    """Check a staged delivery and leave the verdict beside it, where publish looks for it.

    Args:
        docs: build data docs in any case; they are always built when a critical rule is broken.

    Raises:
        DeliveryError: there is no such delivery, or it is for another span.
    """
    manifest = read_manifest(settings.lake, delivery_id)
    if manifest.span != span:
        raise DeliveryError(f"Delivery {delivery_id} is for {manifest.span}, not {span}.", "Check the days asked for.")
    suites = Suites()
    rules = _run(settings, manifest, suites)
    failed = _names(rules, "critical")
    page = f"reports/{_REPORTS}/{delivery_id}/index.html" if docs or failed else None
    if page is not None:
        folder = settings.lake.reports / _REPORTS / delivery_id
        suites.write_docs(folder)
        write_json(folder / MADE_MARKER, {"made_at": settings.shop_clock().now().isoformat()})
    result = GateResult(
        delivery_id=delivery_id,
        span=str(span),
        passed=not failed,
        failed=failed,
        warnings=_names(rules, "warning"),
        docs=page,
        rules=tuple(rules),
    )
    staging = settings.lake.staging(delivery_id)
    if staging.exists():
        write_json(staging / STAGED_GATE, result.model_dump(mode="json"))
    return result


def _run(settings: Settings, manifest: Manifest, suites: Suites) -> list[RuleResult]:
    files = batch.delivery_files(settings, manifest)
    types = suites.run("types", schema_rules(), batch.types(files))
    if not types[0].success:
        # rows of another shape cannot be read as events
        return [_result(outcome, []) for outcome in types]
    with batch.opened(settings, manifest, files) as connection:
        rows = batch.events(connection)
        outcomes = suites.run("events", event_rules(settings, manifest, len(rows)), rows)
        results = [
            _result(outcome, [] if outcome.success else batch.failing(connection, outcome.rule))
            for outcome in (*types, *outcomes)
        ]
    return results + _against_history(settings, manifest, rows, suites)


def _against_history(settings: Settings, manifest: Manifest, rows: pa.Table, suites: Suites) -> list[RuleResult]:
    past = past_days(settings, manifest.source, manifest.span_start)
    why = _no_comparison(manifest, len(past))
    if why:
        return [RuleResult(rule="history", severity="warning", evaluated=False, why=why)]
    now = _figures(manifest, rows)
    outcomes = suites.run("history", history_rules(past, now), pa.Table.from_pylist([now]))
    return [_result(outcome, []) for outcome in outcomes]


def _no_comparison(manifest: Manifest, days: int) -> str:
    if manifest.bulk:
        return "a bulk history has no past to compare with"
    if manifest.closed != "rows":
        return f"the day is without rows: {manifest.reason}"
    if days < ENOUGH_DAYS:
        return f"{days} past days with rows; {ENOUGH_DAYS} are needed"
    return ""


def _figures(manifest: Manifest, rows: pa.Table) -> dict[str, float]:
    """Figures of a day of the span; late and early rows belong to others."""
    days = {str(day) for day in manifest.span.days()}
    own = rows.filter(pa.array([day in days for day in rows.column(FILE_DAY).to_pylist()], pa.bool_()))
    kinds = own.column(EVENT_TYPE).to_pylist()
    figured = figures(len(own), own.column(USER_ID).null_count, {kind: kinds.count(kind) for kind in EVENT_TYPES})
    return {**figured, "row_count": figured["row_count"] / len(days)}


def _result(outcome: Outcome, samples: Sequence[dict[str, Any]]) -> RuleResult:
    return RuleResult(
        rule=outcome.rule.name,
        severity=outcome.rule.severity,
        success=outcome.success,
        observed=outcome.observed,
        failing=outcome.failing,
        samples=tuple(samples),
    )


def _names(rules: Sequence[RuleResult], severity: Severity) -> tuple[str, ...]:
    return tuple(rule.rule for rule in rules if not rule.success and rule.severity == severity)
