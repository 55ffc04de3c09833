"""A whole training, its versions and a challenge, on a small shop, a real MLflow server and a real PostgreSQL."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr

from features.bundle import Bundle
from features.service import service_name, service_version
from infra.database import server_url
from infra.errors import ServiceError, TrainingError
from infra.evaluations import load_evaluation
from infra.health import mlflow_url
from infra.registry import Registry
from infra.settings import PROJECT, Settings
from infra.tracking import client
from infra.versions import CHALLENGER
from training.challenge import challenge
from training.evaluate import dataset_of
from training.snapshot import Snapshot
from validation.model_gate import judge

if TYPE_CHECKING:  # it brings in TensorFlow, which collecting the fast tests need not wait for
    from training.run import TrainResult

pytestmark = [pytest.mark.integration, pytest.mark.model]


@pytest.fixture(scope="module")
def shop(tracked: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """The servers of ``tracked`` with a home and a registered model of this module's own."""
    home = tmp_path_factory.mktemp("shop")
    address = server_url(tracked).render_as_string(hide_password=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("infra.registry.MODEL_NAME", f"test-{uuid.uuid4().hex[:8]}")
        yield tracked.model_copy(update={"home": home, "postgres_url": SecretStr(address)})


@pytest.fixture(scope="module")
def snapshot(shop: Settings, log: Any, snapshot_of: Callable[[Settings, Any], Snapshot]) -> Snapshot:
    """Of a small shop with habits, in the lake of ``shop``."""
    return snapshot_of(shop, log)


@pytest.fixture(scope="module")
def trained(shop: Settings, snapshot: Snapshot) -> TrainResult:
    from training.fit import FitSettings
    from training.models.dien import DienSettings
    from training.run import train_on

    told: list[str] = []
    result = train_on(
        shop,
        snapshot,
        FitSettings(epochs=2, validation_moments=50, batch=64),
        DienSettings(
            item_width=4, category_width=2, behaviour_width=2, extractor_units=4, evolution_units=4, hidden=(8,)
        ),
        told.append,
    )
    assert any(line.startswith("baselines rank") for line in told)
    assert any("epoch 2" in line for line in told)
    return result


@pytest.fixture
def registry(shop: Settings) -> Iterator[Registry]:
    with Registry(shop) as found:
        yield found


def test_the_best_baseline_and_the_model_are_registered(trained: TrainResult, registry: Registry) -> None:
    baseline, model = registry.versions.all()

    assert (baseline.version, model.version) == (trained.baseline_version, trained.version)
    assert (baseline.tags["kind"], model.tags["kind"]) == ("baseline", "model")
    assert (baseline.name, model.name) == (trained.baseline, "dien")
    assert model.tags["baseline_version"] == str(baseline.version)
    assert set(json.loads(model.tags["baselines"])) == {"popular", "recent-popular", "buy-again", "last-category"}
    assert model.data_digest == baseline.data_digest == trained.data_digest
    assert model.run_id == trained.run_id
    assert registry.versions.holder(CHALLENGER) == model.version
    assert registry.champion() is None
    values = {name: figures["metrics"]["ndcg_10"]["value"] for name, figures in trained.figures.items()}
    assert max((name for name in values if name != "dien"), key=lambda name: values[name]) == trained.baseline


def test_the_run_can_be_read_and_made_again(
    trained: TrainResult, shop: Settings, snapshot: Snapshot, registry: Registry
) -> None:
    mlflow = client(shop)
    run = mlflow.get_run(trained.run_id)

    metrics, tags, parameters = run.data.metrics, run.data.tags, run.data.params
    assert metrics["ndcg_10_low"] <= metrics["ndcg_10"] <= metrics["ndcg_10_high"]
    assert {"recall_5", "mrr", "coverage_10", "ndcg_10_light", "calibration_error", "best_epoch"} <= set(metrics)
    assert not [name for name in metrics if name.startswith("fresh")]
    assert {"git_commit", "git_dirty", "data_digest", "snapshot_id", "feature_service", "version_tensorflow"} <= set(
        tags
    )
    assert tags["data_digest"] == trained.data_digest
    source = json.loads(run.inputs.dataset_inputs[0].dataset.source)
    assert source["tags"]["feature_service_version"] == service_version(shop)
    model = registry.versions.get(trained.version)
    for told in (tags, model.tags):
        assert (told["feature_service"], told["feature_service_version"]) == ("interest_v1", service_version(shop))
        assert told["feast.feature_service"] == service_name(service_version(shop))
    assert parameters["days_fresh"] == str(snapshot.splits.fresh)
    assert parameters["model.item_width"] == "4"
    for name in ("epoch_loss", "epoch_auxiliary_loss", "epoch_validation_ndcg_10"):
        assert [point.step for point in mlflow.get_metric_history(trained.run_id, name)] == [1, 2]
    assert run.inputs.dataset_inputs[0].dataset.digest == trained.data_digest[:36]
    files = {file.path for folder in ("", "plots") for file in mlflow.list_artifacts(trained.run_id, folder)}
    assert {"leaderboard.md", "leaderboard.json"} <= files
    assert {f"plots/{name}.png" for name in ("calibration", "interest_curve", "learning_curves")} <= files


def test_each_baseline_has_a_run_of_its_own_below_the_models(trained: TrainResult, shop: Settings) -> None:
    mlflow = client(shop)
    parent = mlflow.get_run(trained.run_id)
    children = mlflow.search_runs(
        [parent.info.experiment_id], f"tags.mlflow.parentRunId = '{trained.run_id}'", max_results=10
    )

    assert {run.info.run_name for run in children} == {"popular", "recent-popular", "buy-again", "last-category"}
    assert all(run.info.status == "FINISHED" and "ndcg_10_low" in run.data.metrics for run in children)


def test_the_leaderboard_lists_the_best_first(trained: TrainResult, shop: Settings) -> None:
    from mlflow.artifacts import load_dict, load_text

    run = client(shop).get_run(trained.run_id)
    board = load_dict(f"{run.info.artifact_uri}/leaderboard.json")
    text = load_text(f"{run.info.artifact_uri}/leaderboard.md")

    values = [one["metrics"]["ndcg_10"]["value"] for one in board["models"]]
    assert values == sorted(values, reverse=True)
    assert len(values) == 5
    assert f"| {board['models'][0]['name']} |" in text


WITHOUT_US = """
import json, sys
project, tracking, *addresses = sys.argv[1:]
sys.path = [path for path in sys.path if path not in ("", project)]
for room in ("features", "training", "infra"):
    try:
        __import__(room)
    except ImportError:
        continue
    sys.exit(f"{room} can be imported here")
import mlflow, numpy as np
mlflow.set_tracking_uri(tracking)
users, candidates = 2, 4
sizes = lambda shape: [users, *(candidates if size == -1 else size for size in shape[1:])]
for address in addresses:
    model = mlflow.pyfunc.load_model(address)
    inputs = {spec.name: np.zeros(sizes(spec.shape), spec.type) for spec in model.metadata.signature.inputs.inputs}
    outputs = model.predict(inputs)
    print(json.dumps({name: list(values.shape) for name, values in outputs.items()}))
"""


def test_the_logged_model_loads_where_our_code_is_not(
    trained: TrainResult, registry: Registry, shop: Settings, tmp_path: Path
) -> None:
    addresses = [
        f"models:/{registry.ledger.model}/{version}" for version in (trained.baseline_version, trained.version)
    ]
    command = [sys.executable, "-c", WITHOUT_US, str(PROJECT), mlflow_url(shop), *addresses]
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, env=clean)

    assert done.returncode == 0, done.stderr[-3000:]
    answers = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert answers == [{"score": [2, 4], "attention": [2, 4, 50]}] * 2


def test_a_challenge_seats_the_first_champion_and_measures_on_fresh_days(
    trained: TrainResult, shop: Settings, registry: Registry, snapshot: Snapshot
) -> None:
    fresh = len(snapshot.rows("fresh"))
    evaluation = load_evaluation(shop.lake, challenge(shop, trained.version, actor="test"))

    champion = registry.champion()
    assert champion is not None
    assert (champion.action, champion.version) == ("first_champion", trained.baseline_version)
    assert trained.baseline in champion.reason
    assert evaluation.challenger.version == trained.version
    assert evaluation.champion is not None
    assert evaluation.champion.version == trained.baseline_version
    assert evaluation.challenger.moments.num_rows == fresh
    assert evaluation.challenger.moments["moment_id"].equals(evaluation.champion.moments["moment_id"])
    verdict = judge(evaluation, shop)
    assert verdict.moments == fresh
    assert [one.role for one in verdict.comparisons] == ["champion", "baseline", "baseline", "baseline"]
    assert {one.model for one in verdict.comparisons} == {"popular", "recent-popular", "buy-again", "last-category"}
    assert [one.version for one in verdict.comparisons] == [trained.baseline_version, None, None, None]
    metrics = client(shop).get_run(trained.run_id).data.metrics
    assert metrics["fresh_ndcg_10"] == pytest.approx(verdict.figures["ndcg_10"].value)
    assert metrics["fresh_ndcg_10_low"] == pytest.approx(verdict.figures["ndcg_10"].low)
    assert metrics["fresh_champion_ndcg_10"] == pytest.approx(verdict.comparisons[0].figures["ndcg_10"].value)


def test_a_challenge_repeats_exactly(trained: TrainResult, shop: Settings) -> None:
    first, again = (load_evaluation(shop.lake, challenge(shop, trained.version, seat=False)) for _ in range(2))

    assert first.id == again.id
    assert first.challenger.moments.equals(again.challenger.moments)


def test_a_bundle_that_reads_other_windows_is_refused(
    trained: TrainResult, snapshot: Snapshot, registry: Registry
) -> None:
    bundle = Bundle.load(registry.download(trained.baseline_version))
    other = replace(snapshot, meta={**snapshot.meta, "window_days": [1, 14]})

    with pytest.raises(TrainingError, match=r"reads window_days .*the snapshot holds \(1, 14\)"):
        dataset_of(bundle, other)


def test_a_snapshot_that_is_gone_is_said_so(trained: TrainResult, shop: Settings, tmp_path: Path) -> None:
    elsewhere = shop.model_copy(update={"home": tmp_path})

    with pytest.raises(TrainingError, match="holds no snapshot"):
        challenge(elsewhere, trained.version, seat=False)


def test_without_validation_days_nothing_is_trained_and_the_run_says_failed(
    shop: Settings, log: Any, snapshot_of: Callable[[Settings, Any], Snapshot], tmp_path: Path
) -> None:
    from training.run import train_on

    narrow = shop.model_copy(update={"home": tmp_path, "fresh_days": 3650})

    with pytest.raises(TrainingError, match="No basket in the validation days"):
        train_on(narrow, snapshot_of(narrow, log))

    (run,) = client(shop).search_runs([client(shop).get_experiment_by_name("interest").experiment_id], max_results=1)
    assert run.info.status == "FAILED"


def test_a_model_that_does_not_exist_and_a_server_that_is_down_are_told_at_once(shop: Settings) -> None:
    from training.run import train

    with pytest.raises(TrainingError, match="no model 'sien'"):
        train(shop, model="sien")
    with pytest.raises(ServiceError, match="penchant up"):
        train(shop.model_copy(update={"mlflow_port": shop.airflow_port}))
