"""The command line as a person meets it: speed, exit codes, messages."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from infra.cli.stack import chosen
from infra.errors import SettingsError
from infra.parts import AIRFLOW, PARTS
from infra.settings import Settings

HEAVY = ("airflow", "duckdb", "feast", "great_expectations", "ibis", "keras", "mlflow", "numpy", "pandas", "pyarrow",
         "pydantic", "sqlalchemy", "tensorflow")  # fmt: skip


Penchant = Callable[..., subprocess.CompletedProcess[str]]


def test_help_is_there_within_a_second(typed: Penchant) -> None:
    """In processor time, which other programs on this machine do not change; the best of three."""
    took = []
    for _ in range(3):
        before = _processor_seconds()
        done = typed("--help")
        took.append(_processor_seconds() - before)
        assert done.returncode == 0
        assert all(command in done.stdout for command in ("up", "down", "status", "doctor"))
    assert min(took) < 1.0


def _processor_seconds() -> float:
    """What this process's children have used so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_help_imports_nothing_heavy() -> None:
    code = f"import sys, infra.cli.main as m; m.build(); print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("arguments", "environment", "said"),
    [
        (("status",), {"PENCHANT_CLOCK": "noon"}, "clock"),
        (("up", "everything"), {}, "There is no part everything"),
        (("frobnicate",), {}, "No such command"),
    ],
)
def test_bad_input_exits_2_without_a_traceback(
    typed: Penchant, tmp_path: Path, arguments: tuple[str, ...], environment: dict[str, str], said: str
) -> None:
    done = typed(*arguments, PENCHANT_HOME=str(tmp_path), **environment)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_failure_exits_1_and_names_what_to_mend(typed: Penchant, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = typed("down", PENCHANT_HOME=str(tmp_path / "file" / "home"))
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert str(tmp_path / "file") in done.stderr


def test_status_of_an_empty_home_as_json(typed: Penchant, tmp_path: Path, settings: Settings) -> None:
    ports = {f"PENCHANT_{n.upper()}_PORT": str(getattr(settings, f"{n}_port")) for n in ("postgres", "valkey")}
    done = typed("status", "--json", PENCHANT_HOME=str(tmp_path), **ports)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert {server["name"] for server in found["servers"]} == {"postgres", "valkey", *PARTS}
    assert {server["state"] for server in found["servers"]} == {"stopped"}
    assert (found["champion"], found["lake"]["closed_days"], found["airflow"]["user"]) == (
        "unknown",
        0,
        "admin",
    )


def test_down_with_nothing_running_says_so(typed: Penchant, tmp_path: Path) -> None:
    done = typed("down", PENCHANT_HOME=str(tmp_path))
    assert (done.returncode, done.stdout.strip()) == (0, "Nothing was running.")


def test_parts_are_chosen_by_name() -> None:
    assert chosen(None) == PARTS
    assert chosen(["mlflow", "airflow", "mlflow"]) == ("mlflow", *AIRFLOW)
    with pytest.raises(SettingsError, match="no part web"):
        chosen(["web"])


@pytest.mark.integration
def test_status_reports_what_runs(services: Settings) -> None:
    from infra.status import status

    found = {server["name"]: server["state"] for server in status(services)["servers"]}
    assert (found["postgres"], found["valkey"], found["api"]) == ("well", "well", "stopped")
