"""A challenge: the challenger, the champion and the best baseline answer the same fresh moments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from features.bundle import Bundle
from infra.evaluations import Evaluation, Measured, save_evaluation
from infra.ledger import Entry
from infra.registry import Registry
from infra.settings import Settings
from infra.tracking import answering, configure
from infra.versions import Version
from training.evaluate import evaluate_bundle
from training.figures import Figures
from training.leaderboard import to_json, to_markdown
from training.snapshot import Snapshot

#: Tag of a model's version: the version of the best baseline of the same training.
BASELINE_TAG: Final = "baseline_version"

Progress = Callable[[str], None]


def challenge(
    settings: Settings,
    version: int,
    *,
    actor: str = "penchant",
    seat: bool = True,
    on_progress: Progress = lambda _: None,
) -> str:
    """Measure ``version`` and what it has to beat on the fresh days of its snapshot.

    Each bundle ranks the whole catalogue in its own vocabulary. The figures go to the challenger's
    MLflow run (``fresh_*``) and, per moment, to the lake for ``validation.model_gate.judge``.

    Args:
        actor: who asks, for the ledger.
        seat: where nothing serves yet, first let the best baseline serve.

    Returns:
        the id to give to ``infra.evaluations.load_evaluation``.

    Raises:
        RegistryError: no such version, or its bundle cannot be read.
        TrainingError: its snapshot is gone, or a bundle reads other inputs than it holds.
        ServiceError: MLflow or PostgreSQL does not answer.
    """
    with Registry(settings) as registry:
        registry.reconcile()
        challenger = registry.versions.get(version)
        baseline = registry.versions.get(int(challenger.tags.get(BASELINE_TAG, version)))
        holder = registry.champion()
        if holder is None and seat:
            holder = _seat(registry, baseline, actor)
        numbers = dict.fromkeys([version, baseline.version, *([holder.version] if holder else [])])
        bundles = {number: Bundle.load(registry.download(number)) for number in numbers}
    measured = _measure(settings, bundles, version, on_progress)
    evaluation = _evaluation(challenger, baseline, holder, bundles, measured)
    save_evaluation(settings.lake, evaluation)
    _log(settings, challenger, evaluation, measured)
    return evaluation.id


def _seat(registry: Registry, baseline: Version, actor: str) -> Entry:
    figure = baseline.tags.get("validation_ndcg_10", "unknown")
    reason = f"Nothing served yet: {baseline.name} is the best baseline on the validation days, NDCG@10 {figure}."
    return registry.first_champion(baseline.version, actor, reason)


def _measure(settings: Settings, bundles: dict[int, Bundle], version: int, on_progress: Progress) -> dict[int, Figures]:
    snapshot = Snapshot.load(settings.lake.snapshot(bundles[version].meta.snapshot_id))
    measured = {}
    for number, bundle in bundles.items():
        on_progress(f"{bundle.meta.name} v{number} answers the fresh days")
        measured[number] = evaluate_bundle(bundle, snapshot, "fresh")
    return measured


def _evaluation(
    challenger: Version,
    baseline: Version,
    holder: Entry | None,
    bundles: dict[int, Bundle],
    measured: dict[int, Figures],
) -> Evaluation:
    def of(number: int) -> Measured:
        return Measured(bundles[number].meta.name, number, measured[number].table)

    version = challenger.version
    snapshot_id = bundles[version].meta.snapshot_id
    champion = of(holder.version) if holder else None
    identity = f"{snapshot_id}-v{version}-against-v{holder.version if holder else 0}"
    baselines = (of(baseline.version),) if baseline.version != version else ()
    return Evaluation(identity, "fresh", of(version), champion, baselines)


def _log(settings: Settings, challenger: Version, evaluation: Evaluation, measured: dict[int, Figures]) -> None:
    """Add the fresh figures to the challenger's run; again after a new challenge."""
    mlflow = configure(settings)
    board = {f"{one.model} v{one.version}": measured[one.version] for one in _all(evaluation)}
    numbers = _numbers(evaluation, measured)
    with answering(settings), mlflow.start_run(run_id=challenger.run_id):
        mlflow.log_metrics(numbers)
        if numbers["fresh_moments"]:
            mlflow.log_text(to_markdown(board, "fresh"), "fresh/leaderboard.md")
            mlflow.log_dict(to_json(board, "fresh"), "fresh/leaderboard.json")
        mlflow.set_tag("evaluation_id", evaluation.id)


def _numbers(evaluation: Evaluation, measured: dict[int, Figures]) -> dict[str, float]:
    challenger = measured[evaluation.challenger.version]
    numbers: dict[str, Any] = {**challenger.flat("fresh_"), "fresh_moments": challenger.moments}
    if evaluation.champion:
        numbers |= measured[evaluation.champion.version].flat("fresh_champion_")
    for baseline in evaluation.baselines:
        numbers |= measured[baseline.version].flat("fresh_baseline_")
    return numbers


def _all(evaluation: Evaluation) -> list[Measured]:
    return [evaluation.challenger, *([evaluation.champion] if evaluation.champion else []), *evaluation.baselines]
