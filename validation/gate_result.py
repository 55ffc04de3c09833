"""The partition gate's verdict: what each rule found, and whether the delivery may pass."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from infra.errors import PartitionRefused
from validation.rules import Severity


class RuleResult(BaseModel):
    """How one rule went. ``failing`` counts rows; ``samples`` are some of them, as texts."""

    model_config = ConfigDict(frozen=True)

    rule: str
    severity: Severity
    evaluated: bool = True
    success: bool = True
    observed: Any = None
    failing: int | None = None
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


def _rows(rule: RuleResult) -> str:
    return f"{rule.failing} rows" if rule.failing is not None else f"found {rule.observed}"
