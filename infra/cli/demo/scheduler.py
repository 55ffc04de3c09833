"""The demo's hands on Airflow: start runs, and wait for them in sight."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

from infra.airflow_api import FINISHED, AirflowApi, DagRun
from infra.cli.demo.progress import Say
from infra.errors import ServiceError
from infra.orchestrator import last_said
from infra.partitions import Span
from infra.settings import Settings

DAILY = ("ingest_events", "build_features")
DAGS = ("load_history", "ingest_events", "build_features", "train_interest", "promote_model")


def wait_for_dags(airflow: AirflowApi, say: Say, seconds: float = 180) -> None:
    """Wait until the scheduler knows every DAG.

    Raises:
        ServiceError: a DAG file does not load, or it takes too long.
    """

    def known() -> bool:
        if errors := airflow.import_errors():
            name, trace = next(iter(errors.items()))
            raise ServiceError(f"Airflow cannot load {name}: {trace.strip().splitlines()[-1]}")
        found = airflow.known_dags() & set(DAGS)
        say(f"{len(found)} of {len(DAGS)} DAGs found")
        return len(found) == len(DAGS)

    airflow.wait(known, seconds, "reading the DAG files")


def finish(
    airflow: AirflowApi, settings: Settings, dag_id: str, run_id: str, say: Say, seconds: float = 3600
) -> DagRun:
    """Wait for one run, showing its tasks.

    Raises:
        ServiceError: it failed; with the end of the failed task's log.
    """

    def ended() -> DagRun | None:
        tasks = airflow.tasks(dag_id, run_id)
        done = sum(state == "success" for state in tasks.values())
        running = [task for task, state in tasks.items() if state == "running"]
        said = last_said(settings, dag_id, run_id, running[0]) if running else ""
        news = f"{running[0]}: {said}" if said else _states(tasks) or "scheduling"
        say(f"{done} of {len(tasks)} tasks done; {news}")
        run = next(run for run in airflow.runs(dag_id) if run.run_id == run_id)
        return run if run.state in FINISHED else None

    run: DagRun = airflow.wait(ended, seconds, f"a run of {dag_id}")
    if run.state == "failed":
        raise _failure(airflow, run)
    return run


def next_run(airflow: AirflowApi, dag_id: str, before: int, say: Say, seconds: float = 120) -> DagRun:
    """Wait until a DAG that assets start has more than ``before`` runs; returns the newest."""
    say(f"waiting for {dag_id} to start by itself")
    airflow.wait(lambda: len(airflow.runs(dag_id)) > before, seconds, f"the start of {dag_id}")
    return airflow.runs(dag_id)[-1]


def back_up_days(airflow: AirflowApi, days: Span, say: Say, seconds: float = 3600) -> None:
    """Run ``ingest_events`` for every day by a backfill, and wait until the features of all are built.

    Raises:
        ServiceError: one of the runs failed.
    """
    airflow.backfill("ingest_events", days.start, days.end - timedelta(days=1))
    keys = {str(day) for day in days.days()}

    def built() -> bool:
        runs = [run for dag_id in DAILY for run in airflow.runs(dag_id) if run.partition_key in keys]
        if failed := [run for run in runs if run.state == "failed"]:
            raise _failure(airflow, failed[0])
        done = {dag_id: sum(run.dag_id == dag_id and run.state == "success" for run in runs) for dag_id in DAILY}
        active = [_active(airflow, run) for run in runs if run.state == "running"]
        counts = ", ".join(f"{dag_id} {count} of {len(keys)}" for dag_id, count in done.items())
        say(f"{counts}; {'; '.join(filter(None, active)) or 'scheduling'}")
        return min(done.values()) >= len(keys)

    airflow.wait(built, seconds, "the daily partitions")


def count_runs(airflow: AirflowApi) -> dict[str, dict[str, int]]:
    """Runs by DAG: how many succeeded, how many failed."""
    counted: dict[str, Any] = {dag_id: Counter(run.state for run in airflow.runs(dag_id)) for dag_id in DAGS}
    return {dag_id: {"success": counts["success"], "failed": counts["failed"]} for dag_id, counts in counted.items()}


def _active(airflow: AirflowApi, run: DagRun) -> str:
    states = _states(airflow.tasks(run.dag_id, run.run_id))
    return f"{run.partition_key}: {states}" if states else ""


def _states(tasks: dict[str, str]) -> str:
    return ", ".join(f"{task} {state}" for task, state in tasks.items() if state not in ("success", "waiting"))


def _failure(airflow: AirflowApi, run: DagRun) -> ServiceError:
    failed = [task for task, state in airflow.tasks(run.dag_id, run.run_id).items() if state == "failed"]
    tail = airflow.log_tail(run.dag_id, run.run_id, failed[0]) if failed else ""
    return ServiceError(
        f"The run {run.run_id} of {run.dag_id} failed in {', '.join(failed) or 'no task'}:\n{tail}",
        "Mend what it names and type make demo again: it goes on where it stopped.",
    )
