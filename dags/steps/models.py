"""From features to a model that serves."""

from __future__ import annotations

from typing import Any

from infra.errors import RegistryError
from infra.settings import Settings


def train(settings: Settings) -> dict[str, Any]:
    """Snapshot, fit, log and register; returns the run and the versions.

    Through the last day that is built: later ones may be closed and on their way.
    """
    from features.days import built_days
    from training.run import train as train_model

    trained = train_model(settings, max(built_days(settings), default=None), on_progress=print)
    return {
        "run_id": trained.run_id,
        "version": trained.version,
        "baseline": trained.baseline,
        "baseline_version": trained.baseline_version,
    }


def challenge(settings: Settings, version: str | int | None) -> dict[str, Any]:
    """Measure a version (the newest challenger when None) on the fresh days, beside its rivals."""
    from infra.registry import Registry
    from infra.versions import CHALLENGER
    from training.challenge import challenge as measure

    with Registry(settings) as registry:
        number = int(version) if version else registry.versions.holder(CHALLENGER)
    if number is None:
        raise RegistryError("There is no challenger to judge.", "Train one: penchant train.")
    return {"version": number, "evaluation": measure(settings, number)}


def judge(settings: Settings, challenged: dict[str, Any]) -> dict[str, Any]:
    """Hold the figures against the gate's rules; returns the verdict as data."""
    from features.views import SERVICE
    from infra.evaluations import load_evaluation
    from validation.model_gate import judge as judge_evaluation
    from validation.skew_report import last_report

    evaluation = load_evaluation(settings.lake, challenged["evaluation"])
    verdict = judge_evaluation(evaluation, settings, last_report(settings.lake, SERVICE))
    print(verdict.reason)
    return verdict.to_json()


def decide(settings: Settings, verdict: dict[str, Any], actor: str) -> dict[str, Any]:
    """Write the verdict to the ledger and move the alias if it was won; returns what serves now."""
    from infra.registry import Registry

    version, reason = verdict["version"], verdict["reason"]
    with Registry(settings) as registry:
        if verdict["outcome"] == "promoted":
            registry.promote(version, actor, reason, verdict=verdict, judged_against=verdict["champion_version"])
        else:
            registry.reject(version, actor, reason, verdict=verdict)
        champion = registry.champion()
    if champion is None:
        raise RegistryError("Nothing serves after the decision.", "Look at the ledger: penchant ledger.")
    return {"outcome": verdict["outcome"], "reason": reason, "version": champion.version}
