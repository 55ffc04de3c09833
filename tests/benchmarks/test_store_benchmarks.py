"""The benchmarks of the online store run on a few rows, with servers of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.thorough, pytest.mark.integration]

HERE = Path(__file__).resolve().parent


def measured(name: str, *options: str) -> Any:
    command = [sys.executable, str(HERE / f"{name}.py"), "--users", "200", "--items", "100", *options]
    environment = {**os.environ, "PYTHONPATH": str(HERE.parents[1])}
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    return json.loads(done.stdout)


def test_materialise_runs_on_a_few_rows() -> None:
    found = measured("materialise_speed")
    assert all(found[run]["seconds"] > 0 for run in ("penchant", "feast"))
    assert found["penchant"]["rows"] == found["feast"]["rows"] == 1_200


def test_the_lookup_runs_on_a_few_rows() -> None:
    found = measured("lookup_speed", "--asked", "10", "--requests", "5")
    assert all(found[run][asked]["p50_ms"] > 0 for run in ("penchant", "feast") for asked in ("user", "with_items"))
