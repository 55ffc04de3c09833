"""The partition gate's verdict: what each rule found, and whether the delivery may pass."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import BaseModel, ConfigDict

from features.events.rule import Severity
from infra.errors import PartitionRefused


class RuleResult(BaseModel):
    """How one rule went.

    Attributes:
        suite: with its version, what the rule was part of; empty in a verdict older than suites.
        evaluated: whether it was; else ``why`` says why not.
        failing: rows that break it; null for a rule about the whole.
        rows: rows that it was asked of; null for a rule about the whole.
        samples: some of the failing rows, as texts.
    """

    model_config = ConfigDict(frozen=True)

    rule: str
    severity: Severity
    suite: str = ""
    suite_version: str = ""
    evaluated: bool = True
    success: bool = True
    observed: Any = None
    failing: int | None = None
    rows: int | None = None
    samples: tuple[dict[str, str | None], ...] = ()
    why: str = ""


class GateResult(BaseModel):
    """The verdict on one delivery; ``docs`` is the page of the data docs, relative to the lake, if built."""

    model_config = ConfigDict(frozen=True)

    delivery_id: str
    span: str
    passed: bool
    failed: tuple[str, ...]
    warnings: tuple[str, ...]
    docs: str | None
    rules: tuple[RuleResult, ...]

    @classmethod
    def of(cls, delivery_id: str, span: str, rules: tuple[RuleResult, ...]) -> GateResult:
        """The verdict that the rules' results add up to; without data docs."""
        failed, warnings = (tuple(_broken(rules, severity)) for severity in ("critical", "warning"))
        return cls(
            delivery_id=delivery_id,
            span=span,
            passed=not failed,
            failed=failed,
            warnings=warnings,
            docs=None,
            rules=rules,
        )

    def insist(self) -> None:
        """Stop here unless the delivery passed.

        Raises:
            PartitionRefused: names the partition, every critical rule broken, rows, samples, data docs.
        """
        if self.passed:
            return
        broken = [rule for rule in self.rules if rule.rule in self.failed]
        named = "; ".join(f"{rule.rule} ({_rows(rule)})" for rule in broken)
        shown = next((rule.samples[0] for rule in broken if rule.samples), None)
        raise PartitionRefused(
            f"Partition {self.span}, delivery {self.delivery_id}: {named}.{f' First row: {shown}.' if shown else ''}",
            f"Nothing was published. Data docs: {self.docs} in the lake. Mend the source and ingest again.",
        )


def _broken(rules: Iterable[RuleResult], severity: str) -> Iterator[str]:
    return (rule.rule for rule in rules if not rule.success and rule.severity == severity)


def _rows(rule: RuleResult) -> str:
    return f"{rule.failing} rows" if rule.failing is not None else f"found {rule.observed}"
