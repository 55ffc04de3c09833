"""The model gate's answer, with everything that it rests on; kept as JSON in the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from infra.evaluations import named
from infra.intervals import Interval


@dataclass(frozen=True)
class Rule:
    """One thing asked of the challenger.

    Attributes:
        name: ``enough_moments``, ``enough_users``: ``observed`` must reach ``bound``;
            ``beats_champion``, ``beats_NAME`` of a baseline: the lower bound ``observed`` must exceed it;
            ``consistent``: the share ``observed`` of served values that differ from the lake's may not exceed it.
        why: what was found, in words.
    """

    name: str
    passed: bool
    observed: float
    bound: float
    why: str


@dataclass(frozen=True)
class Comparison:
    """Another model on the same moments; ``difference`` is of NDCG@10, the challenger's less this one's.

    Attributes:
        role: ``champion`` or ``baseline``.
        version: None: a baseline that is not registered.
        figures: of this other model.
    """

    role: str
    model: str
    version: int | None
    figures: Mapping[str, Interval]
    difference: Interval

    @property
    def label(self) -> str:
        """Such as ``the baseline popular``, ``the champion dien v2``."""
        return f"the {self.role} {named(self.model, self.version)}"


@dataclass(frozen=True)
class Verdict:
    """Promoted only if every rule passed.

    Attributes:
        reason: for a person, with the figures that decided.
        champion_version: what served when it was judged; None: nothing.
        figures: of the challenger, with 95 % bounds.
    """

    outcome: Literal["promoted", "rejected"]
    reason: str
    model: str
    version: int
    champion_version: int | None
    evaluation_id: str
    moments: int
    users: int
    figures: Mapping[str, Interval]
    comparisons: tuple[Comparison, ...]
    rules: tuple[Rule, ...]

    @property
    def promoted(self) -> bool:
        return self.outcome == "promoted"

    def to_json(self) -> dict[str, Any]:
        """Numbers, texts, lists and objects only."""
        content = asdict(self)
        return {**content, "comparisons": list(content["comparisons"]), "rules": list(content["rules"])}
