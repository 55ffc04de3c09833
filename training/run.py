"""One training: a snapshot, the baselines and a model, an MLflow run, two registered versions.

The validation days choose the baseline and the epoch; the fresh days are not looked at here.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from infra.errors import TrainingError
from infra.registry import Registry
from infra.settings import Settings
from infra.tracking import answering, configure
from training.challenge import BASELINE_TAG, BASELINES_TAG
from training.contenders import Contender, best_of_each
from training.dataset import Dataset
from training.evaluate import evaluate
from training.figures import Figures
from training.fit import FitSettings, Fitted, fit
from training.leaderboard import ranked
from training.logged_model import LOGGED
from training.models.dien import DienSettings
from training.record import Recorder
from training.score import BATCH
from training.snapshot import Snapshot

Progress = Callable[[str], None]

MODELS: Final = ("dien",)
_NEWS: Final = 4  # times that a long step is heard of


@dataclass(frozen=True)
class TrainResult:
    """What one training left behind.

    Attributes:
        run_id: of the model's MLflow run; the baselines' runs are its children.
        model, version: registered, under the alias ``challenger``.
        baseline, baseline_version: the best of the baselines, registered too.
        figures: on the validation days by model and baseline, see ``Figures.to_json``.
    """

    run_id: str
    model: str
    version: int
    baseline: str
    baseline_version: int
    snapshot_id: str
    data_digest: str
    figures: dict[str, dict[str, Any]]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def train(
    settings: Settings, through: date | None = None, model: str = "dien", on_progress: Progress | None = None
) -> TrainResult:
    """Take a snapshot of the closed days and train on it.

    Args:
        through: the last day to use; by default the last closed one.
        model: one of ``MODELS``.
        on_progress: told what is being done, in words.

    Raises:
        TrainingError: no such model, or too little to learn from.
        ServiceError: MLflow or the feature store does not answer.
    """
    if model not in MODELS:
        raise TrainingError(f"There is no model {model!r}.", f"Use one of: {', '.join(MODELS)}.")
    say = on_progress or (lambda _: None)
    configure(settings)  # a server that is down is told now, not after the snapshot
    from training.take import take  # brings in Feast, 5 s

    return train_on(settings, take(settings, through, say), on_progress=say)


def train_on(
    settings: Settings,
    snapshot: Snapshot,
    fit_settings: FitSettings | None = None,
    model_settings: DienSettings | None = None,
    on_progress: Progress = lambda _: None,
) -> TrainResult:
    """Fit baselines and model on ``snapshot``, log everything, and register the best baseline and the model."""
    chosen, widths = fit_settings or FitSettings(), model_settings or DienSettings()
    recorder = Recorder(configure(settings), settings, snapshot, Dataset(snapshot))
    with (
        answering(settings),
        recorder.run("dien") as run_id,
        TemporaryDirectory(dir=settings.home, prefix=".training-") as folder,
    ):
        recorder.parameters({**asdict(chosen), "model": asdict(widths)})
        best = _baselines(recorder, on_progress)
        fitted = _fit(recorder, chosen, widths, on_progress)
        on_progress("dien ranks the validation days")
        figures = evaluate(fitted.model, recorder.dataset, recorder.rows)
        board = {"dien": figures, **{name: measured for name, (_, measured) in best.items()}}
        recorder.figures(figures)
        recorder.leaderboard(board)
        recorder.pictures(fitted)
        on_progress("logging and registering")
        recorder.bundle(Path(folder) / "dien", "dien", "model", fitted.model)
        baseline = ranked({name: measured for name, (_, measured) in best.items()})[0]
        baseline_run = _log_baselines(recorder, best, baseline, Path(folder))
        versions = _register(settings, recorder, (run_id, figures), (baseline, baseline_run), best)
    return TrainResult(
        run_id=run_id,
        model="dien",
        version=versions[1],
        baseline=baseline,
        baseline_version=versions[0],
        snapshot_id=snapshot.id,
        data_digest=snapshot.digest,
        figures={name: board[name].to_json() for name in ranked(board)},
    )


def _baselines(recorder: Recorder, say: Progress) -> dict[str, tuple[Contender, Figures]]:
    if not len(recorder.rows):
        days = "..".join(recorder.snapshot.meta["splits"]["validation"])
        raise TrainingError(f"No basket in the validation days {days}.", "Load more days, or raise validation_days.")

    def told(done: int, total: int) -> None:
        if done * _NEWS // total > (done - BATCH) * _NEWS // total:
            say(f"baselines rank the validation days: {done} of {total} baskets")

    return best_of_each(recorder.dataset, recorder.rows, told)


def _fit(recorder: Recorder, chosen: FitSettings, widths: DienSettings, say: Progress) -> Fitted:
    def told(epoch: int, figures: dict[str, float]) -> None:
        recorder.epoch(epoch, figures)
        say(f"dien, epoch {epoch} of at most {chosen.epochs}: NDCG@10 {figures['validation_ndcg_10']:.3f}")

    say(f"dien, epoch 1 of at most {chosen.epochs}")
    return fit(recorder.dataset, chosen, widths, told)


def _log_baselines(recorder: Recorder, best: dict[str, tuple[Contender, Figures]], winner: str, folder: Path) -> str:
    """A child run each; the winner's holds its bundle. Returns the winner's run id."""
    runs = {}
    for name, (contender, figures) in best.items():
        with recorder.run(name, nested=True) as runs[name]:
            recorder.parameters({**contender.numbers})
            recorder.figures(figures)
            if name == winner:
                recorder.bundle(folder / name, name, "baseline", contender.model)
    return runs[winner]


def _register(
    settings: Settings,
    recorder: Recorder,
    fitted: tuple[str, Figures],
    winner: tuple[str, str],
    baselines: dict[str, tuple[Contender, Figures]],
) -> tuple[int, int]:
    """Versions of the best baseline and of the model, in this order; the model becomes ``challenger``.

    Args:
        fitted: the model's run id, and its figures.
        winner: name and run id of the best baseline.
    """
    (run_id, figures), (baseline, baseline_run) = fitted, winner
    numbers = {name: contender.numbers for name, (contender, _) in baselines.items()}
    with Registry(settings) as registry:
        tags = recorder.version_tags(baseline, "baseline", baseline_run, baselines[baseline][1])
        first = registry.register(baseline_run, LOGGED, tags)
        rivals = {BASELINE_TAG: str(first), BASELINES_TAG: json.dumps(numbers)}
        second = registry.register(
            run_id, LOGGED, {**recorder.version_tags("dien", "model", run_id, figures), **rivals}
        )
        registry.nominate(second)
    return first, second
