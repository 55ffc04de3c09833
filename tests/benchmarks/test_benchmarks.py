"""The benchmarks of the input side run on a few rows: a renamed column is found here, not by their reader."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.thorough  # processes of their own

HERE = Path(__file__).resolve().parent


@pytest.mark.parametrize(
    ("name", "runs"), [("ingest_speed", ("penchant", "pandas")), ("gate_speed", ("engine", "pandas", "whole_suite"))]
)
def test_it_runs_on_a_few_rows(name: str, runs: tuple[str, ...]) -> None:
    command = [sys.executable, str(HERE / f"{name}.py"), "--rows", "2000"]
    environment = {**os.environ, "PYTHONPATH": str(HERE.parents[1])}
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    found = json.loads(done.stdout)
    assert all(found[run]["seconds"] > 0 for run in runs)
