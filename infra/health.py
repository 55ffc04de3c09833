"""Whether the background servers are well, asked of themselves over HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from datetime import datetime
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, build_opener

from infra.orchestrator import airflow_url
from infra.ports import HOST
from infra.settings import Settings

HEARTBEATS = {
    "airflow-scheduler": ("scheduler", "latest_scheduler_heartbeat"),
    "airflow-dag-processor": ("dag_processor", "latest_dag_processor_heartbeat"),
    "airflow-triggerer": ("triggerer", "latest_triggerer_heartbeat"),
}


def mlflow_url(settings: Settings) -> str:
    return f"http://{HOST}:{settings.mlflow_port}"


def api_url(settings: Settings) -> str:
    return f"http://{HOST}:{settings.api_port}"


# MLflow's own /health answers before it has its tables: ask for something that lies in them
PROBES: dict[str, Callable[[Settings], str]] = {
    "mlflow": lambda settings: f"{mlflow_url(settings)}/api/2.0/mlflow/experiments/get?experiment_id=0",
    "api": lambda settings: f"{api_url(settings)}/healthz",
}


def ask(url: str, seconds: float = 2.0) -> tuple[int, bytes]:
    """GET ``url`` of this machine, past any proxy: status and body; status 0 when nobody answers."""
    try:
        with build_opener(ProxyHandler({})).open(url, timeout=seconds) as response:
            return response.status, response.read()
    except HTTPError as error:
        return error.code, error.read()
    except (OSError, HTTPException):
        return 0, b""


def well(settings: Settings, names: Collection[str], since: datetime | None = None) -> set[str]:
    """Those of the parts called ``names`` (see ``infra.parts``) that do their work.

    Args:
        settings: whose parts.
        names: the parts asked for.
        since: an Airflow component counts only with a heartbeat after this moment; an earlier one
            may be that of a component that was killed.
    """
    found = {name for name in names if name in PROBES and ask(PROBES[name](settings), 60.0)[0] == 200}
    if any(name.startswith("airflow-") for name in names):
        found |= airflow_well(settings, since) & set(names)
    return found


def airflow_well(settings: Settings, since: datetime | None = None) -> set[str]:
    """The components of Airflow that do their work; none while its API server does not answer."""
    status, body = ask(f"{airflow_url(settings)}/api/v2/monitor/health", 10.0)
    if status != 200:
        return set()
    health = json.loads(body)
    found = {name for name, (part, field) in HEARTBEATS.items() if _beats(health, part, field, since)}
    return found | ({"airflow-api-server"} if health["metadatabase"]["status"] == "healthy" else set())


def is_ready(settings: Settings) -> bool:
    """Whether the API has something to serve."""
    return ask(f"{api_url(settings)}/readyz")[0] == 200


def _beats(health: dict[str, Any], part: str, field: str, since: datetime | None) -> bool:
    found = health.get(part) or {}
    if found.get("status") != "healthy":
        return False
    return since is None or datetime.fromisoformat(found[field]) >= since
