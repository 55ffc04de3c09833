"""The DAG files as the scheduler meets them: cheap to read, documented, and safe to run for years."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from infra.settings import PROJECT

DAGS = ("build_features", "check_skew", "ingest_events", "keep_lake", "load_history", "promote_model", "train_interest")
HEAVY = ("tensorflow", "pandas", "mlflow", "feast", "great_expectations", "matplotlib", "duckdb")

#: Reads every DAG file as Airflow does, and prints what it found and which heavy modules came with it.
READ = f"""
import importlib.util, json, sys
from pathlib import Path
from airflow.utils.file import list_py_file_paths
found = {{}}
for path in map(Path, sorted(list_py_file_paths("dags"))):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    dag = module.dag
    found[dag.dag_id] = {{
        "doc": dag.doc_md,
        "tasks": dag.task_ids,
        "max_active_runs": dag.max_active_runs,
        "catchup": dag.catchup,
        "end_date": str(dag.end_date),
        "timetable": type(dag.timetable).__name__,
        "when": [getattr(dag.timetable, name, "") for name in ("expression", "timezone")],
        "settings": [
            {{
                "retries": task.retries,
                "backoff": task.retry_exponential_backoff,
                "time_out": task.execution_timeout is not None,
                "pool": task.pool,
                "doc": task.doc or task.doc_md or task.python_callable.__doc__,
            }}
            for task in dag.tasks
        ],
        "waits_for": {{task.task_id: sorted(task.upstream_task_ids) for task in dag.tasks}},
        "rules": {{task.task_id: task.trigger_rule.value for task in dag.tasks}},
        "weights": {{task.task_id: task.priority_weight for task in dag.tasks}},
        "outlets": sorted(asset.name for task in dag.tasks for asset in task.outlets),
    }}
print(json.dumps({{"dags": found, "heavy": [name for name in {HEAVY!r} if name in sys.modules]}}))
"""


def read_dags(home: Path, **settings: str) -> dict[str, Any]:
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(PROJECT),
        "AIRFLOW_HOME": str(home / "airflow"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "PENCHANT_HOME": str(home),
        **settings,
    }
    done = subprocess.run(
        [sys.executable, "-c", READ], cwd=PROJECT, env=environment, capture_output=True, text=True, check=True
    )
    return dict(json.loads(done.stdout.splitlines()[-1]))


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return read_dags(tmp_path_factory.mktemp("dags"))


def test_every_dag_is_there_and_documented_by_its_file(read: dict[str, Any]) -> None:
    assert sorted(read["dags"]) == sorted(DAGS)
    for dag in read["dags"].values():
        assert dag["doc"].startswith("### ")
        assert "hen it fails" in dag["doc"] or "A loss is a green run" in dag["doc"]
        assert all(task["doc"] for task in dag["settings"])


def test_reading_the_dag_files_loads_nothing_heavy(read: dict[str, Any]) -> None:
    assert read["heavy"] == []


@pytest.mark.parametrize("dag_id", DAGS)
def test_every_task_retries_with_growing_pauses_in_a_pool_and_ends(read: dict[str, Any], dag_id: str) -> None:
    dag = read["dags"][dag_id]
    assert dag["max_active_runs"] == 1
    assert dag["catchup"] is False
    for task in dag["settings"]:
        assert task["retries"] >= 1
        assert task["backoff"] > 1
        assert task["time_out"]
        assert task["pool"] in ("partitions", "training")


def test_a_delivery_that_is_hours_late_is_waited_for(read: dict[str, Any]) -> None:
    dag = read["dags"]["ingest_events"]
    assert [task["retries"] for task in dag["settings"]][:3] == [13, 3, 3]


@pytest.mark.parametrize("dag_id", ["ingest_events", "load_history"])
def test_nothing_that_takes_the_data_forward_waits_for_the_profile(read: dict[str, Any], dag_id: str) -> None:
    dag = read["dags"][dag_id]
    assert [task for task, before in dag["waits_for"].items() if "profile" in before] == ["settled"]
    assert dag["waits_for"]["profile"] == ["publish"]
    assert dag["waits_for"]["settled"] == ["profile", "publish"]
    assert {task: rule for task, rule in dag["rules"].items() if rule != "all_success"} == {
        "settled": "all_done_min_one_success"
    }
    assert all(weight > dag["weights"]["profile"] for task, weight in dag["weights"].items() if task != "profile")


def test_what_cannot_get_better_is_not_tried_again() -> None:
    code = """
from airflow.sdk.exceptions import AirflowFailException
from dags.defaults import no_retry
from dags.steps import span_of_run
try:
    with no_retry():
        span_of_run(None, {"day": None})
except AirflowFailException as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert "Give a run by hand the parameter day" in done.stdout


def test_dags_are_chained_by_assets(read: dict[str, Any]) -> None:
    assert {dag_id: dag["outlets"] for dag_id, dag in read["dags"].items()} == {
        "load_history": ["history"],
        "ingest_events": ["events"],
        "keep_lake": [],
        "check_skew": [],
        "build_features": ["features", "features_reissued"],
        "train_interest": ["model_version"],
        "promote_model": ["champion"],
    }
    assert {dag_id: dag["timetable"] for dag_id, dag in read["dags"].items()} == {
        "load_history": "PartitionedAtRuntime",
        "ingest_events": "CronPartitionTimetable",
        "keep_lake": "CronTriggerTimetable",
        "check_skew": "PartitionedAssetTimetable",
        "build_features": "PartitionedAssetTimetable",
        "train_interest": "PartitionedAssetTimetable",
        "promote_model": "PartitionedAssetTimetable",
    }


def test_the_lake_is_kept_once_a_week_by_the_shops_own_time(tmp_path: Path) -> None:
    dag = read_dags(tmp_path, PENCHANT_TIMEZONE="Asia/Tokyo")["dags"]["keep_lake"]
    assert dag["tasks"] == ["merge", "retire", "forget"]
    assert dag["when"] == ["0 4 * * 1", "Asia/Tokyo"]
    assert {task["pool"] for task in dag["settings"]} == {"partitions"}


def test_a_shop_whose_clock_stands_in_the_past_gets_no_runs_after_it(tmp_path: Path) -> None:
    read = read_dags(tmp_path, PENCHANT_CLOCK="2010-12-10T13:00:00+00:00")
    for dag_id in ("ingest_events", "keep_lake"):
        assert read["dags"][dag_id]["end_date"].startswith("2010-12-10 00:00:00")


def test_the_wall_clock_sets_no_end(read: dict[str, Any]) -> None:
    assert read["dags"]["ingest_events"]["end_date"] == "None"
