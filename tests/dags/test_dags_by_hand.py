"""Each DAG as a developer runs it, ``dag.test()``, in a small shop with real servers and without a scheduler."""

from __future__ import annotations

import csv
import json
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from infra.partitions import Span
from infra.settings import PROJECT, Settings

pytestmark = [pytest.mark.integration, pytest.mark.model, pytest.mark.timeout(600)]

HISTORY = Span(date(2010, 10, 18), date(2010, 12, 8))
DAY = date(2010, 12, 8)
HEADER = ("Invoice", "StockCode", "Description", "Quantity", "InvoiceDate", "Price", "Customer ID", "Country")
TITLES = ("WHITE MUG", "RED LAMP", "PINK CLOCK", "BLUE BAG")

#: Runs one DAG file's ``dag`` in this process and prints the state of its run and of its tasks.
TEST = """
import importlib, json, sys
dag = importlib.import_module(sys.argv[1]).dag
run = dag.test(logical_date=None, run_conf=json.loads(sys.argv[2]))  # partitions have no logical date
tasks = {task.task_id: str(task.state) for task in run.get_task_instances()}
print(json.dumps({"state": str(run.state), "tasks": tasks}))
"""


def lines_of(day: date) -> Iterator[tuple[object, ...]]:
    """Every customer comes each third day, and mostly buys again what was bought before."""
    drawn = random.Random(day.toordinal())  # noqa: S311 (a log, no secret)
    for customer in range(45):
        if (customer + day.toordinal()) % 3:
            continue
        moment = datetime(day.year, day.month, day.day, 9) + timedelta(minutes=customer)  # noqa: DTZ001 (a file's text)
        for item in {customer % 20, (customer + 7) % 20, drawn.randrange(20)}:
            invoice = f"{500000 + day.toordinal() % 1000 * 100 + customer}"
            yield (
                invoice,
                f"{84000 + item}",
                f"{TITLES[item % 4]} {item}",
                6,
                moment,
                "2.55",
                13000 + customer,
                "France",
            )


def deliver(path: Path, span: Span) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([HEADER, *(line for day in span.days() for line in lines_of(day))])


@pytest.fixture(scope="module")
def shop(short_folder: Path, make_settings: Callable[..., Settings]) -> Iterator[Settings]:
    """A home of its own with PostgreSQL, Valkey and MLflow; Airflow has its tables and does not run."""
    from infra.orchestrator import prepare_airflow
    from infra.stack import start_stack, stop_stack

    settings = make_settings(short_folder / "by-hand", clock="2010-12-09T06:00:00+00:00", validation_days=10)
    deliver(settings.lake.landing_history("online-retail") / "history.csv", HISTORY)
    deliver(settings.lake.landing_day("online-retail", DAY) / "day.csv", Span.of_day(DAY))
    try:
        start_stack(settings, ["mlflow"])
        prepare_airflow(settings)
        yield settings
    finally:
        stop_stack(settings)


def run(settings: Settings, dag_id: str, **conf: str) -> dict[str, Any]:
    """``dag.test(run_conf=conf)``: states of the run and of its tasks."""
    from infra.orchestrator import airflow_environment

    done = subprocess.run(
        [sys.executable, "-c", TEST, f"dags.{dag_id}_dag", json.dumps(conf)],
        env=airflow_environment(settings), cwd=PROJECT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return dict(json.loads(done.stdout.splitlines()[-1]))


def succeeded(*tasks: str) -> dict[str, Any]:
    return {"state": "success", "tasks": dict.fromkeys(tasks, "success")}


def test_load_history(shop: Settings) -> None:
    found = run(shop, "load_history", start=str(HISTORY.start), end=str(HISTORY.end))
    assert found == succeeded("ingest", "gate", "publish", "build", "materialise")
    assert shop.lake.closed_days() == list(HISTORY.days())


def test_ingest_events(shop: Settings) -> None:
    assert run(shop, "ingest_events", day=str(DAY)) == succeeded("ingest", "gate", "publish")
    assert shop.lake.closed_days()[-1] == DAY


def test_build_features(shop: Settings) -> None:
    from features.days import built_days

    assert run(shop, "build_features", day=str(DAY)) == succeeded("build", "materialise")
    assert DAY in built_days(shop)


def test_train_interest(shop: Settings) -> None:
    from infra.registry import Registry
    from infra.versions import CHALLENGER

    assert run(shop, "train_interest") == succeeded("train")
    with Registry(shop) as registry:
        assert registry.versions.holder(CHALLENGER) == 2


def test_promote_model(shop: Settings) -> None:
    from infra.registry import Registry

    assert run(shop, "promote_model") == succeeded("challenge", "judge", "decide")
    with Registry(shop) as registry:
        actions = [entry.action for entry in registry.history()]
        assert actions[0] == "first_champion"
        assert actions[1] in ("promote", "reject")
        assert registry.champion() is not None
