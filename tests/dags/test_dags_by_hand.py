"""Each DAG as a developer runs it, ``dag.test()``, in a small shop with real servers and without a scheduler."""

from __future__ import annotations

import csv
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from infra.database import engine
from infra.partitions import Span
from infra.settings import PROJECT, Settings

pytestmark = [pytest.mark.integration, pytest.mark.model, pytest.mark.timeout(600)]

HISTORY = Span(date(2010, 10, 18), date(2010, 12, 8))
DAY = date(2010, 12, 8)
#: The day of a row that comes late.
LATE = date(2010, 12, 5)
HEADER = ("Invoice", "StockCode", "Description", "Quantity", "InvoiceDate", "Price", "Customer ID", "Country")
TITLES = ("WHITE MUG", "RED LAMP", "PINK CLOCK", "BLUE BAG")

#: Runs the DAGs one after the other in one process, which pays for the heavy imports once.
TEST = """
import importlib, json, sys
found = {}
for dag_id, conf in json.loads(sys.argv[1]).items():
    dag = importlib.import_module(f"dags.{dag_id}_dag").dag
    run = dag.test(logical_date=None, run_conf=conf)  # partitions have no logical date
    tasks = {task.task_id: str(task.state) for task in run.get_task_instances()}
    found[dag_id] = {"state": str(run.state), "tasks": tasks}
    if found[dag_id]["state"] != "success":
        break
print(json.dumps(found))
"""
CONF: dict[str, dict[str, str]] = {
    "load_history": {"start": str(HISTORY.start), "end": str(HISTORY.end)},
    "ingest_events": {"day": str(DAY)},
    "build_features": {"day": str(DAY)},
    "check_skew": {"day": str(DAY)},
    "train_interest": {},
    "promote_model": {},
    "keep_lake": {},
}
TASKS = {
    "load_history": ("ingest", "gate", "publish", "profile", "build", "materialise", "settled"),
    "ingest_events": ("ingest", "gate", "publish", "profile", "settled"),
    "build_features": ("build", "materialise", "reissue"),
    "check_skew": ("check",),
    "train_interest": ("train",),
    "promote_model": ("challenge", "judge", "decide"),
    "keep_lake": ("merge", "retire", "forget"),
}


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


def deliver(path: Path, span: Span, *more: tuple[object, ...]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([HEADER, *(line for day in span.days() for line in lines_of(day)), *more])


@pytest.fixture(scope="module")
def shop(short_folder: Path, make_settings: Callable[..., Settings]) -> Iterator[Settings]:
    """A home of its own with PostgreSQL, Valkey and MLflow; Airflow has its tables and does not run."""
    from infra.orchestrator import prepare_airflow
    from infra.stack import start_stack, stop_stack

    settings = make_settings(short_folder / "by-hand", clock="2010-12-09T06:00:00+00:00", validation_days=10)
    deliver(settings.lake.landing_history("online-retail") / "history.csv", HISTORY)
    late = ("999999", "84001", "RED LAMP 1", 6, f"{LATE} 09:00:00", "2.55", 13001, "France")
    deliver(settings.lake.landing_day("online-retail", DAY) / "day.csv", Span.of_day(DAY), late)
    left = settings.lake.staging("online-retail-20101207-0123456789abcdef")
    left.mkdir(parents=True)
    os.utime(left, (0, 0))
    try:
        start_stack(settings, ["mlflow"])
        prepare_airflow(settings)
        yield settings
    finally:
        stop_stack(settings)


@pytest.fixture(scope="module")
def runs(shop: Settings) -> dict[str, Any]:
    """States of each DAG's run and of its tasks."""
    from infra.orchestrator import airflow_environment

    done = subprocess.run(
        [sys.executable, "-c", TEST, json.dumps(CONF)],
        env=airflow_environment(shop), cwd=PROJECT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return dict(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("dag_id", CONF)
def test_every_task_succeeds(runs: dict[str, Any], dag_id: str) -> None:
    assert runs[dag_id] == {"state": "success", "tasks": dict.fromkeys(TASKS[dag_id], "success")}


def test_days_are_closed_and_built(runs: dict[str, Any], shop: Settings) -> None:
    from features.days import built_days

    assert shop.lake.closed_days() == [*HISTORY.days(), DAY]
    assert built_days(shop) == [*HISTORY.days(), DAY]


def test_what_was_published_has_a_page(runs: dict[str, Any], shop: Settings) -> None:
    for span in (HISTORY, Span.of_day(DAY)):
        assert str(span.start) in shop.lake.profile(span).read_text(encoding="utf-8")


def test_answers_of_the_day_have_a_report(runs: dict[str, Any], shop: Settings) -> None:
    assert "nothing compared; kept: 0 answers" in shop.lake.skew(DAY).with_suffix(".md").read_text(encoding="utf-8")


def test_the_days_that_a_late_row_changed_are_announced_each(runs: dict[str, Any], shop: Settings) -> None:
    database = engine(shop, "airflow")
    with database.connect() as connection:
        keys = connection.scalars(
            text(
                "SELECT partition_key FROM asset_event JOIN asset ON asset.id = asset_id "
                "WHERE name = 'features_reissued' ORDER BY partition_key"
            )
        ).all()
    database.dispose()
    assert keys == [str(day) for day in Span(LATE, DAY).days()]


def test_two_versions_are_registered_and_one_serves(runs: dict[str, Any], shop: Settings) -> None:
    from infra.registry import Registry

    with Registry(shop) as registry:
        assert [version.version for version in registry.versions.all()] == [1, 2]
        entries = registry.history()
        assert entries[0].action == "first_champion"
        assert entries[1].action in ("promote", "reject")
        assert entries[1].version == 2
        assert registry.champion() is not None


def test_what_a_kill_left_is_gone_and_the_days_are_still_there(runs: dict[str, Any], shop: Settings) -> None:
    from features.events.log import event_files

    assert not any(shop.lake.stagings.iterdir())
    assert len(event_files(shop.lake, HISTORY)) == len(HISTORY) + 1  # the day of the late row is too young to be merged
    assert (shop.lake.landing_history("online-retail") / "history.csv").exists()
