"""The benchmarks of the online store run on a few rows, with servers of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.thorough, pytest.mark.integration]

HERE = Path(__file__).resolve().parent


@pytest.mark.parametrize(("name", "runs"), [("materialise_speed", ("penchant", "feast"))])
def test_it_runs_on_a_few_rows(name: str, runs: tuple[str, ...]) -> None:
    command = [sys.executable, str(HERE / f"{name}.py"), "--users", "200", "--items", "100"]
    environment = {**os.environ, "PYTHONPATH": str(HERE.parents[1])}
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    found = json.loads(done.stdout)
    assert all(found[run]["seconds"] > 0 for run in runs)
    assert found["penchant"]["rows"] == found["feast"]["rows"] == 900
