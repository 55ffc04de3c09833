"""The whole loop under Airflow's own scheduler, on the sample's last months: ``penchant demo``, as it is typed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from infra.ports import free_ports
from infra.settings import PORTS, PROJECT

pytestmark = [pytest.mark.scheduler, pytest.mark.timeout(900)]

HISTORY_DAYS = 75


def penchant(home: Path, ports: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **ports, "PENCHANT_HOME": str(home)}
    command = [sys.executable, "-m", "infra.cli.main", *arguments]
    return subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def ports() -> dict[str, str]:
    return {f"PENCHANT_{name.upper()}": str(port) for name, port in zip(PORTS, free_ports(len(PORTS)), strict=True)}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, ports: dict[str, str]) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("demo") / "home"
    yield folder
    penchant(folder, ports, "down")


@pytest.fixture(scope="module")
def first(home: Path, ports: dict[str, str]) -> dict[str, Any]:
    done = penchant(home, ports, "demo", "--history-days", str(HISTORY_DAYS), "--json")
    assert done.returncode == 0, done.stderr[-4000:]
    return dict(json.loads(done.stdout))


def test_every_row_is_accounted_for(first: dict[str, Any]) -> None:
    parts = first["accepted"] + first["duplicate"] + first["late"] + first["early"]
    assert first["rows_in"] == parts + sum(first["quarantined"].values())
    assert first["accepted"] > 100_000
    assert first["partitions"] == HISTORY_DAYS + 7


def test_every_dag_ran_under_the_scheduler_and_none_failed(first: dict[str, Any]) -> None:
    expected = {"load_history": 1, "ingest_events": 7, "build_features": 7, "train_interest": 1, "promote_model": 1}
    assert first["dag_runs"] == {dag: {"success": runs, "failed": 0} for dag, runs in expected.items()}


def test_the_verdict_rests_on_figures_with_bounds(first: dict[str, Any]) -> None:
    assert first["verdict"] in ("promoted", "rejected")
    assert first["model"]["alias"] == "champion"
    assert first["baselines"]
    for figures in (first["metrics"], *first["baselines"].values()):
        ndcg = figures["ndcg_10"]
        assert 0 <= ndcg["low"] <= ndcg["value"] <= ndcg["high"] <= 1


def test_items_are_recommended_with_reasons_and_an_event_changes_them(first: dict[str, Any]) -> None:
    before, after = first["recommendations"], first["recommendations_after_event"]
    for items in (before, after):
        assert len({item["item_id"] for item in items}) == len(items) == 10
        assert all(item["title"] and item["reason"] for item in items)
    assert before != after


def test_the_champion_of_the_ledger_is_what_answers(first: dict[str, Any]) -> None:
    assert first["served_by"] == {"name": first["model"]["name"], "version": first["model"]["version"]}


def test_nothing_runs_any_more_and_the_file_says_the_same(first: dict[str, Any], home: Path) -> None:
    assert json.loads((home / "demo.json").read_text()) == first
    assert not [process for process in psutil.process_iter(["environ"]) if _of(process, home)]


def test_typed_again_it_reuses_what_is_there(first: dict[str, Any], home: Path, ports: dict[str, str]) -> None:
    done = penchant(home, ports, "demo", "--history-days", str(HISTORY_DAYS), "--json")
    assert done.returncode == 0, done.stderr[-4000:]
    again = json.loads(done.stdout)
    assert done.stderr.count("reused:") == 3
    assert again["dag_runs"] == first["dag_runs"]
    assert {**again["model"], "rows": again["rows_in"]} == {**first["model"], "rows": first["rows_in"]}


def _of(process: psutil.Process, home: Path) -> bool:
    environment = process.info["environ"] or {}
    return environment.get("PENCHANT_HOME") == str(home) and process.pid != os.getpid()
