"""The command line as a person types it, and a registered model with versions that hold next to nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from infra.registry import Registry
from infra.settings import Settings
from infra.tracking import client


@pytest.fixture(scope="session")
def typed() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run ``penchant`` with arguments, in this environment with some variables changed."""

    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "infra.cli.main", *arguments]
        changed = {**os.environ, **environment}
        return subprocess.run(command, env=changed, capture_output=True, text=True, check=False, timeout=120)

    return run


@pytest.fixture
def registry(tracked: Settings, tmp_path: Path) -> Iterator[Registry]:
    """Of a registered model of this test's own, with three versions."""
    with Registry(tracked, f"test-{uuid.uuid4().hex[:8]}") as found:
        for number in range(3):
            run_id = logged_run(tracked, tmp_path, f"bundle {number}")
            tags = {"kind": "model", "name": f"m{number}", "run": run_id, "data_digest": f"d{number}"}
            assert found.register(run_id, "model", tags) == number + 1
        yield found


def logged_run(settings: Settings, folder: Path, content: str) -> str:
    """A run that logged a bundle as ``model``, without TensorFlow."""
    from mlflow.entities import LoggedModelOutput

    mlflow = client(settings)
    run_id = str(mlflow.create_run(experiment_id="0").info.run_id)
    bundle = folder / content / "artifacts" / "bundle"
    bundle.mkdir(parents=True)
    (bundle / "bundle.json").write_text(content, encoding="utf-8")
    model = mlflow.create_logged_model(experiment_id="0", name="model", source_run_id=run_id)
    mlflow.log_model_artifacts(model.model_id, str(folder / content))
    mlflow.finalize_logged_model(model.model_id, "READY")
    mlflow.log_outputs(run_id, [LoggedModelOutput(model.model_id, 0)])
    return run_id
