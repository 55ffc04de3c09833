"""What MLflow keeps of a training, so that anybody can read, compare and make it again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np

from features.bundle import BundleMeta
from features.service import service_name
from features.state import UserState
from features.store.keys import PROJECT as PROJECT_NAME
from infra.settings import PROJECT, Settings
from training.calibration import calibration
from training.dataset import Dataset, Rows
from training.export import save_bundle
from training.figures import Figures
from training.fit import Fitted
from training.leaderboard import to_json, to_markdown
from training.logged_model import log_bundle
from training.plots import calibration_plot, interest_plot, learning_curves
from training.provenance import git_commit, package_versions
from training.score import score_all
from training.snapshot import Snapshot

_LONGEST_DIGEST: Final = 36
_CALIBRATED: Final = 200  # moments of the calibration plot
Kind = Literal["baseline", "model"]


@dataclass(frozen=True)
class Recorder:
    """Writes one training to MLflow; all of it speaks about one snapshot and its validation days."""

    mlflow: Any
    settings: Settings
    snapshot: Snapshot
    dataset: Dataset

    @cached_property
    def rows(self) -> Rows:
        """The validation days' moments."""
        return self.dataset.rows("validation")

    @cached_property
    def commit(self) -> str:
        return git_commit(PROJECT)

    @contextmanager
    def run(self, name: str, *, nested: bool = False) -> Iterator[str]:
        """An MLflow run, tagged with all that it can be made again from; yields its id."""
        title = name if nested else f"{name} through {self.snapshot.meta['through']}"
        versions = {f"version_{package}": version for package, version in package_versions().items()}
        with self.mlflow.start_run(run_name=title, nested=nested, tags={**self._origin(), **versions}) as run:
            self._data()
            yield str(run.info.run_id)

    def parameters(self, content: Mapping[str, Any]) -> None:
        """Log parameters; one that is an object itself is logged by its parts."""
        for name, value in content.items():
            parts = (
                {f"{name}.{part}": one for part, one in value.items()} if isinstance(value, Mapping) else {name: value}
            )
            self.mlflow.log_params(parts)

    def epoch(self, number: int, figures: Mapping[str, float]) -> None:
        self.mlflow.log_metrics({f"epoch_{name}": value for name, value in figures.items()}, step=number)

    def figures(self, figures: Figures) -> None:
        """Means with their bounds, by name; the numbers of moments and users as parameters."""
        self.mlflow.log_metrics(figures.flat())
        self.mlflow.log_params({"validation_moments_ranked": figures.moments, "validation_users": figures.users})

    def leaderboard(self, board: Mapping[str, Figures]) -> None:
        self.mlflow.log_text(to_markdown(board, "validation"), "leaderboard.md")
        self.mlflow.log_dict(to_json(board, "validation"), "leaderboard.json")

    def pictures(self, fitted: Fitted) -> None:
        """Learning curves, calibration, and the interests of the user with most baskets."""
        rows = self.rows[np.unique(np.linspace(0, len(self.rows) - 1, _CALIBRATED).astype(np.int64))]
        found = calibration(score_all(fitted.model, self.dataset, rows), [self.dataset.targets[row] for row in rows])
        baskets = Counter(self.dataset.user_ids)
        faithful = max({self.dataset.user_ids[row] for row in self.rows}, key=lambda user: (baskets[user], user))
        middle = sorted(self.snapshot.half_life_days)[len(self.snapshot.half_life_days) // 2]
        self.mlflow.log_figure(learning_curves(fitted.history, fitted.best_epoch), "plots/learning_curves.png")
        self.mlflow.log_figure(calibration_plot(found), "plots/calibration.png")
        self.mlflow.log_figure(interest_plot(self._states_of(faithful), middle), "plots/interest_curve.png")
        self.mlflow.log_metrics(
            {"calibration_error": found.error, "best_epoch": fitted.best_epoch, "fit_seconds": fitted.seconds}
        )

    def bundle(self, folder: Path, name: str, kind: Kind, model: Any) -> None:
        """Export a model below ``folder`` and log it to the active run."""
        bundle = folder / "bundle"
        save_bundle(bundle, model, self.dataset.vocabulary, self.snapshot.items, self._meta(name, kind))
        log_bundle(self.mlflow, bundle)

    def version_tags(self, name: str, kind: Kind, run_id: str, figures: Figures) -> dict[str, str]:
        """Tags of a registered version."""
        figure = str(figures.metrics["ndcg_10"])
        return {**self._origin(), "name": name, "kind": kind, "run": run_id, "validation_ndcg_10": figure}

    def _states_of(self, user_id: str) -> list[UserState]:
        """The user's states up to the end of the validation days."""
        last = self.rows[-1]
        return [state for state in self.dataset.states[: last + 1] if state.user_id == user_id]

    def _origin(self) -> dict[str, str]:
        return {
            "data_digest": self.snapshot.digest,
            "snapshot_id": self.snapshot.id,
            **self._features(),
            "git_commit": self.commit.removesuffix("-dirty"),
            "git_dirty": str(self.commit.endswith("-dirty")).lower(),
        }

    def _features(self) -> dict[str, str]:
        """Which features it was trained on, also under the names by which Feast looks for them."""
        service, version = (self.snapshot.meta[name] for name in ("feature_service", "feature_service_version"))
        return {
            "feature_service": service,
            "feature_service_version": version,
            "feast.project": PROJECT_NAME,
            "feast.feature_service": service_name(version),
        }

    def _data(self) -> None:
        from mlflow.data.code_dataset_source import CodeDatasetSource
        from mlflow.data.meta_dataset import MetaDataset

        snapshot = self.snapshot
        told = {"snapshot": snapshot.id, "path": str(snapshot.path), "sha256": snapshot.digest}
        source = CodeDatasetSource({**told, **self._features()})
        dataset = MetaDataset(source, name=snapshot.id, digest=snapshot.digest[:_LONGEST_DIGEST])
        self.mlflow.log_input(dataset, context="training")
        days = {f"days_{name}": "..".join(span) for name, span in snapshot.meta["splits"].items()}
        rows = {f"rows_{name}": count for name, count in snapshot.meta["rows"].items()}
        self.mlflow.log_params({"through": snapshot.meta["through"], **days, **rows})

    def _meta(self, name: str, kind: Kind) -> BundleMeta:
        meta = self.snapshot.meta
        return BundleMeta(
            name=name,
            kind=kind,
            feature_service=meta["feature_service"],
            feature_service_version=meta["feature_service_version"],
            features=meta["features"],
            sequence_length=self.dataset.sequence_length,
            window_days=self.snapshot.window_days,
            half_life_days=self.snapshot.half_life_days,
            history_items=meta["history_items"],
            data_digest=self.snapshot.digest,
            snapshot_id=self.snapshot.id,
            git_commit=self.commit,
            created_at=self.settings.shop_clock().now().isoformat(),
        )
