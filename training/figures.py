"""What is said about one model on one split: means with bounds, by kind of user, and per moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from infra.evaluations import EVALUATED_USER, EVALUATION, MEASURES, MOMENT_ID
from infra.intervals import Interval, mean_intervals
from training.metrics import Floats, Ranks, per_moment
from training.slices import SLICES

#: Metrics that are told apart by kind of user in MLflow.
SLICED: Final = ("ndcg_10", "recall_10")


@dataclass(frozen=True)
class Figures:
    """What a leaderboard says about one model on one split.

    Attributes:
        metrics: see ``training.metrics.per_moment``; means over moments with 95 % bounds; empty without moments.
        slices: the same by kind of user; a kind without moments is left out.
        sizes: moments by kind of user.
        coverage: share of the catalogue in any user's first k, by ``coverage_k``.
        moments, users: how many were measured.
        table: per moment, schema ``infra.evaluations.EVALUATION``.
    """

    metrics: dict[str, Interval]
    slices: dict[str, dict[str, Interval]]
    sizes: dict[str, int]
    coverage: dict[str, float]
    moments: int
    users: int
    table: pa.Table

    def flat(self, prefix: str = "") -> dict[str, float]:
        """Numbers by name for MLflow: ``ndcg_10``, its ``_low`` and ``_high``, ``ndcg_10_new``, ``coverage_10``, …"""
        numbers = {f"{prefix}{name}": value for name, value in self.coverage.items()}
        for name, interval in self.metrics.items():
            numbers |= _bounded(f"{prefix}{name}", interval)
        for kind, metrics in self.slices.items():
            for name in SLICED:
                numbers |= _bounded(f"{prefix}{name}_{kind}", metrics[name])
        return numbers

    def to_json(self) -> dict[str, Any]:
        """``{metric: {value, low, high}}``, and the same below ``slices``."""
        plain = {name: vars(interval) for name, interval in self.metrics.items()}
        sliced = {kind: {name: vars(one) for name, one in metrics.items()} for kind, metrics in self.slices.items()}
        counts = {"moments": self.moments, "users": self.users, "sizes": self.sizes}
        return {"metrics": plain, "slices": sliced, "coverage": self.coverage, **counts}


def figures(
    ranks: Ranks, moments: Sequence[str], users: Sequence[str], kinds: Sequence[str], covered: Mapping[str, float]
) -> Figures:
    """Figures from ranks; all arguments but ``covered`` run parallel, one entry a moment."""
    values = per_moment(ranks)
    of_kind = np.array(kinds)
    present = [kind for kind in SLICES if (of_kind == kind).any()]
    measured = {MOMENT_ID: list(moments), EVALUATED_USER: list(users), **{name: values[name] for name in MEASURES}}
    return Figures(
        metrics=mean_intervals(values, np.array(users)) if moments else {},
        slices={kind: _slice(values, np.array(users), of_kind == kind) for kind in present},
        sizes={kind: int((of_kind == kind).sum()) for kind in present},
        coverage=dict(covered),
        moments=len(moments),
        users=len(set(users)),
        table=pa.table(measured, schema=EVALUATION).sort_by(MOMENT_ID),
    )


def _slice(values: dict[str, Floats], users: NDArray[np.str_], inside: NDArray[np.bool_]) -> dict[str, Interval]:
    return mean_intervals({name: column[inside] for name, column in values.items()}, users[inside])


def _bounded(name: str, interval: Interval) -> dict[str, float]:
    return {name: interval.value, f"{name}_low": interval.low, f"{name}_high": interval.high}
