"""A challenge: the challenger, the champion and the baselines answer the same fresh moments."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from features.bundle import Bundle
from infra.evaluations import Evaluation, Measured, named, save_evaluation
from infra.ledger import Entry
from infra.registry import Registry
from infra.settings import Settings
from infra.tracking import answering, configure
from infra.versions import Version
from training.contenders import contender
from training.dataset import Dataset
from training.evaluate import dataset_of, evaluate_all
from training.figures import Figures
from training.leaderboard import to_json, to_markdown
from training.snapshot import Snapshot

#: Tag of a model's version: the version of the best baseline of the same training.
BASELINE_TAG: Final = "baseline_version"
#: And the numbers of all baselines of that training, by name, as JSON.
BASELINES_TAG: Final = "baselines"

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

    It has to beat the champion and all baselines of its training, with the numbers that the validation
    days chose for each. Each bundle ranks the whole catalogue in its own vocabulary. The figures go to the challenger's
    MLflow run (``fresh_*``) and, per moment, to the lake for ``validation.model_gate.judge``.

    Args:
        actor: who asks, for the ledger.
        seat: let it count: where nothing serves yet, first let the best baseline serve, and write the
            figures to the challenger's run.

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
    snapshot = Snapshot.load(settings.lake.snapshot(bundles[version].meta.snapshot_id))
    rivals = [Rival(bundle.meta.name, number, bundle) for number, bundle in bundles.items()]
    own = dataset_of(bundles[version], snapshot)
    rivals += _unregistered(challenger, baseline, own)
    measured = measure(rivals, own, on_progress)
    evaluation = _evaluation(measured, challenger, baseline, holder)
    save_evaluation(settings.lake, evaluation)
    if seat:
        _log(settings, challenger, evaluation, {rival.label: figures for rival, figures in measured})
    return evaluation.id


@dataclass(frozen=True)
class Rival:
    """A model that takes part; ``version`` is None for a baseline that is not registered."""

    model: str
    version: int | None
    answers: Any

    @property
    def label(self) -> str:
        return named(self.model, self.version)


def _seat(registry: Registry, baseline: Version, actor: str) -> Entry:
    figure = baseline.tags.get("validation_ndcg_10", "unknown")
    reason = f"Nothing served yet: {baseline.name} is the best baseline on the validation days, NDCG@10 {figure}."
    return registry.first_champion(baseline.version, actor, reason)


def _unregistered(challenger: Version, registered: Version, dataset: Dataset) -> list[Rival]:
    """The baselines of the challenger's training but the best, which has a version."""
    chosen: dict[str, dict[str, float]] = json.loads(challenger.tags.get(BASELINES_TAG, "{}"))
    return [
        Rival(name, None, contender(dataset, name, numbers).model)
        for name, numbers in chosen.items()
        if name != registered.name
    ]


def measure(
    rivals: Sequence[Rival], own: Dataset, on_progress: Progress = lambda _: None
) -> list[tuple[Rival, Figures]]:
    """Figures on the fresh days; all that read the ids of ``own`` are measured side by side."""
    strangers = [rival for rival in rivals if isinstance(rival.answers, Bundle) and not _reads(rival.answers, own)]
    alike = [rival for rival in rivals if not any(rival is stranger for stranger in strangers)]
    found: dict[str, Figures] = {}
    for group, dataset in [(alike, own), *(([one], dataset_of(one.answers, own.snapshot)) for one in strangers)]:
        on_progress(f"the fresh days: {', '.join(rival.label for rival in group)}")
        found |= evaluate_all({rival.label: rival.answers for rival in group}, dataset, dataset.rows("fresh"))
    return [(rival, found[rival.label]) for rival in rivals]


def _reads(bundle: Bundle, dataset: Dataset) -> bool:
    """Whether the bundle reads the ids of ``dataset``, and sequences as long."""
    return bundle.vocabulary == dataset.vocabulary and bundle.meta.sequence_length == dataset.sequence_length


def _evaluation(
    measured: list[tuple[Rival, Figures]], challenger: Version, baseline: Version, holder: Entry | None
) -> Evaluation:
    tables = [Measured(rival.model, rival.version, figures.table) for rival, figures in measured]
    by_version = {one.version: one for one in tables}
    version, champion = challenger.version, by_version[holder.version] if holder else None
    best = [by_version[baseline.version]] if baseline.version != version else []
    others = [one for one in tables if one.version is None]
    identity = f"{challenger.tags['snapshot_id']}-v{version}-against-v{holder.version if holder else 0}"
    return Evaluation(identity, "fresh", by_version[version], champion, (*best, *others))


def _log(settings: Settings, challenger: Version, evaluation: Evaluation, figures: dict[str, Figures]) -> None:
    """Add the fresh figures to the challenger's run; again after a new challenge."""
    mlflow = configure(settings)
    ours = figures[evaluation.challenger.label]
    numbers = {**ours.flat("fresh_"), "fresh_moments": ours.moments}
    if evaluation.champion:
        numbers |= figures[evaluation.champion.label].flat("fresh_champion_")
    for baseline in evaluation.baselines:
        numbers |= figures[baseline.label].flat(f"fresh_{baseline.model.replace('-', '_')}_")
    with answering(settings), mlflow.start_run(run_id=challenger.run_id):
        mlflow.log_metrics(numbers)
        if ours.moments:
            mlflow.log_text(to_markdown(figures, "fresh"), "fresh/leaderboard.md")
            mlflow.log_dict(to_json(figures, "fresh"), "fresh/leaderboard.json")
        mlflow.set_tag("evaluation_id", evaluation.id)
