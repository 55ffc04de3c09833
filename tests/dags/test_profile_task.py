"""The task ``profile`` in a run of ``ingest_events``: it shows where the page is, and its failure is its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from infra.partitions import Span
from infra.settings import PROJECT, Settings

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

GOOD, WITHOUT_PAGE, REFUSED = date(2010, 12, 1), date(2010, 12, 2), date(2010, 12, 3)
HEADER, LINE = "item_id,event_type,occurred_at\n", "i,view,{day} 10:00:00\n"
GUESTS_ONLY = 60  # rows without any user: the gate refuses so many

#: Runs the day of each argument; a second try would only take time.
TEST = """
import json, sys
from dags.ingest_events_dag import dag
dag.get_task("profile").retries = 0
found = {}
for day in sys.argv[1:]:
    run = dag.test(logical_date=None, run_conf={"day": day})
    tasks = {task.task_id: str(task.state) for task in run.get_task_instances()}
    told = run.get_task_instance("profile").xcom_pull(task_ids="profile")
    found[day] = {"state": str(run.state), "tasks": tasks, "told": told}
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def shop(short_folder: Path, make_settings: Callable[..., Settings]) -> Iterator[Settings]:
    """A day, one that finds a folder where its page should be, one that the gate refuses; Airflow has its tables."""
    from infra.database import create_databases, migrate
    from infra.orchestrator import prepare_airflow
    from infra.services import start_services, stop_services

    settings = make_settings(short_folder / "profile", clock="2010-12-09T06:00:00+00:00", source="canonical")
    for day, rows in ((GOOD, 1), (WITHOUT_PAGE, 1), (REFUSED, GUESTS_ONLY)):
        path = settings.lake.landing_day("canonical", day) / "log.csv"
        path.parent.mkdir(parents=True)
        path.write_text(HEADER + rows * LINE.format(day=day))
    settings.lake.profile(Span.of_day(WITHOUT_PAGE)).mkdir(parents=True)
    try:
        start_services(settings)
        create_databases(settings)
        migrate(settings)
        prepare_airflow(settings)
        yield settings
    finally:
        stop_services(settings)


@pytest.fixture(scope="module")
def runs(shop: Settings) -> dict[str, Any]:
    from infra.orchestrator import airflow_environment

    done = subprocess.run(
        [sys.executable, "-c", TEST, str(GOOD), str(WITHOUT_PAGE), str(REFUSED)],
        env=airflow_environment(shop), cwd=PROJECT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return dict(json.loads(done.stdout.splitlines()[-1]))


def test_the_page_is_written_and_its_place_is_told(runs: dict[str, Any], shop: Settings) -> None:
    found = runs[str(GOOD)]
    assert set(found["tasks"].values()) == {found["state"]} == {"success"}
    assert found["told"] == f"reports/profile/{GOOD}.html"
    assert str(GOOD) in (shop.lake.root / found["told"]).read_text(encoding="utf-8")


def test_a_profile_that_fails_is_seen_and_the_run_ends_well(runs: dict[str, Any], shop: Settings) -> None:
    found = runs[str(WITHOUT_PAGE)]
    assert found["tasks"].pop("profile") == "failed"
    assert set(found["tasks"].values()) == {found["state"]} == {"success"}
    assert WITHOUT_PAGE in shop.lake.closed_days()


def test_a_day_that_is_refused_still_fails_its_run(runs: dict[str, Any], shop: Settings) -> None:
    found = runs[str(REFUSED)]
    assert found["state"] == found["tasks"]["gate"] == "failed"
    assert [found["tasks"][task] for task in ("publish", "profile", "settled")] == 3 * ["upstream_failed"]
    assert not shop.lake.profile(Span.of_day(REFUSED)).exists()
