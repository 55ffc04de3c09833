"""What the gate found, mirrored into PostgreSQL to be asked over many days; the manifests are the truth.

A rule that was left out (too few rows, no past) has no row.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from typing import Any, Final

import pyarrow as pa
from sqlalchemy import Engine, delete, select
from sqlalchemy.dialects.postgresql import insert

from features.events.manifest import Manifest, read_published
from infra.lake import Lake
from infra.partitions import Span
from infra.tables import gate_results
from validation.gate_result import GateResult, RuleResult

#: ``value``: what was observed where that is a number, else the share of the rows that broke the rule.
TREND: Final = pa.schema(
    [
        pa.field("day", pa.date32(), nullable=False),
        pa.field("last_day", pa.date32(), nullable=False),
        pa.field("delivery_id", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("suite", pa.string(), nullable=False),
        pa.field("suite_version", pa.string(), nullable=False),
        pa.field("severity", pa.string(), nullable=False),
        pa.field("success", pa.bool_(), nullable=False),
        pa.field("failing", pa.int64()),
        pa.field("rows", pa.int64()),
        pa.field("value", pa.float64()),
    ]
)


def mirror(lake: Lake, database: Engine, again: Collection[str] = ()) -> list[str]:
    """Record every published delivery that the table does not have yet, the oldest day first.

    Each is recorded whole or not at all; a delivery that was published past the gate has nothing to record,
    nor has a replay whose rows were all refused again.

    Args:
        again: deliveries that are recorded anew, since they may have been judged again.

    Returns:
        The deliveries recorded.
    """
    with database.connect() as connection:
        known = set(connection.scalars(select(gate_results.c.delivery_id).distinct())) - set(again)
    found = [read_published(lake, path.stem) for path in lake.published() if path.stem not in known]
    judged = [manifest for manifest in found if _judged(manifest)]
    judged.sort(key=lambda one: (one.span_start, one.delivered_at, one.delivery_id))
    for manifest in judged:
        _record(database, manifest)
    return [manifest.delivery_id for manifest in judged]


def trend(database: Engine, rule: str, *, source: str | None = None, span: Span | None = None) -> pa.Table:
    """What a rule found day by day (schema ``TREND``), by first day and delivery.

    Args:
        source: of this source's deliveries only.
        span: of deliveries whose first day lies in it.
    """
    wanted = select(gate_results).where(gate_results.c.rule == rule)
    if source is not None:
        wanted = wanted.where(gate_results.c.source == source)
    if span is not None:
        wanted = wanted.where(gate_results.c.day >= span.start, gate_results.c.day < span.end)
    with database.connect() as connection:
        rows = connection.execute(wanted.order_by(gate_results.c.day, gate_results.c.delivery_id)).mappings().all()
    return pa.Table.from_pylist([_point(dict(row)) for row in rows], TREND)


def _judged(manifest: Manifest) -> list[RuleResult]:
    if manifest.gate is None:
        return []
    return [rule for rule in GateResult.model_validate(manifest.gate).rules if rule.evaluated]


def _record(database: Engine, manifest: Manifest) -> None:
    rows = [_row(manifest, rule.model_dump(mode="json")) for rule in _judged(manifest)]
    with database.begin() as connection:
        connection.execute(delete(gate_results).where(gate_results.c.delivery_id == manifest.delivery_id))
        # two publishers may be at the same delivery
        connection.execute(insert(gate_results).on_conflict_do_nothing(), rows)


def _row(manifest: Manifest, rule: dict[str, Any]) -> dict[str, Any]:
    said = {name: rule[name] for name in _SAID}
    about = {"delivery_id": manifest.delivery_id, "day": manifest.span_start, "span_end": manifest.span_end}
    return {**about, "source": manifest.source, **said}


_SAID: Final = ("suite", "suite_version", "rule", "severity", "success", "observed", "failing", "rows")


def _point(row: dict[str, Any]) -> dict[str, Any]:
    observed, failing, rows = row["observed"], row["failing"], row["rows"]
    counted = failing / rows if failing is not None and rows else None
    number = isinstance(observed, (int, float)) and not isinstance(observed, bool)
    last = row["span_end"] - timedelta(days=1)
    return {**{name: row.get(name) for name in TREND.names}, "last_day": last, "value": observed if number else counted}
