"""The whole stack but for the API, with the real programs: up, up again, down, and nothing left behind."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from urllib.request import Request, urlopen

import psutil
import pytest

from infra.database import create_databases, migrate
from infra.health import ask, mlflow_url, well
from infra.ledger import Ledger
from infra.orchestrator import airflow_password, airflow_url
from infra.parts import AIRFLOW
from infra.services import start_services
from infra.settings import Settings
from infra.stack import start_stack, stop_stack
from infra.tracking import MODEL_NAME

pytestmark = [pytest.mark.scheduler, pytest.mark.timeout(600)]

WHOLE = (*AIRFLOW, "mlflow")


def test_up_and_down(short_folder: Path, make_settings: Callable[..., Settings]) -> None:
    settings = make_settings(short_folder / "stack")
    try:
        left = _decision_cut_short(settings)
        begun: list[tuple[str, str]] = []
        start_stack(settings, WHOLE, lambda *one: begun.append(one))
        (told,) = [news for name, news in begun if name == "ledger"]
        assert told.startswith(f"The decision {left} (promote of version 7) cannot be carried out: ")
        assert well(settings, WHOLE) == set(WHOLE)
        _logs_in(settings)
        _sees_the_experiment(settings)
        news: list[tuple[str, str]] = []
        start_stack(settings, WHOLE, lambda *one: news.append(one))
        assert {word for _, word in news} == {"running"}
    finally:
        stopped = stop_stack(settings)
    assert set(stopped) == {*WHOLE, "postgres", "valkey"}
    assert _left(settings) == []
    assert stop_stack(settings) == []


def _decision_cut_short(settings: Settings) -> int:
    """What a crash leaves between intent and confirmation; returns its number."""
    start_services(settings)
    create_databases(settings)
    migrate(settings)
    columns = {"actor": "a test", "action": "promote", "version": 7, "run_id": "r", "data_digest": "d"}
    with Ledger(settings, MODEL_NAME) as ledger:
        return ledger.intend(**columns, reason="it won", previous_version=None, verdict={}).id


def _logs_in(settings: Settings) -> None:
    body = json.dumps({"username": "admin", "password": airflow_password(settings)}).encode()
    request = Request(f"{airflow_url(settings)}/auth/token", body, {"Content-Type": "application/json"})  # noqa: S310
    with urlopen(request, timeout=30) as answer:  # noqa: S310
        assert json.load(answer)["access_token"]


def _sees_the_experiment(settings: Settings) -> None:
    status, body = ask(f"{mlflow_url(settings)}/api/2.0/mlflow/experiments/get?experiment_id=0", 30)
    assert (status, json.loads(body)["experiment"]["artifact_location"]) == (200, "mlflow-artifacts:/0")


def _left(settings: Settings) -> list[str]:
    """Processes that work in this home, or that its ports or path show among their arguments."""
    marks = (str(settings.home), str(settings.airflow_port), str(settings.mlflow_port))
    found = []
    for process in psutil.process_iter(["cmdline", "cwd", "status"]):
        shown = " ".join([*(process.info["cmdline"] or []), process.info["cwd"] or ""])
        if process.info["status"] != psutil.STATUS_ZOMBIE and any(mark in shown for mark in marks):
            found.append(shown)
    return found
