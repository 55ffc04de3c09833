"""The parts of the background stack: what each is called, and the command and environment that start it."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from infra.children import child_environment
from infra.database import database_url
from infra.orchestrator import COMPONENTS, airflow_command, airflow_environment
from infra.ports import HOST
from infra.settings import Settings

AIRFLOW = tuple(f"airflow-{component}" for component in COMPONENTS)
PARTS = (*AIRFLOW, "mlflow", "api")


@dataclass(frozen=True)
class Part:
    """One background process: its command, its environment, and the setting of its port if it has one."""

    name: str
    command: list[str]
    environment: dict[str, str]
    setting: str = ""


def part(settings: Settings, name: str) -> Part:
    """How the part called ``name`` (one of ``PARTS``) is started."""
    if name == "mlflow":
        return _mlflow(settings)
    if name == "api":
        command = _uvicorn(settings.api_host, settings.api_port, "--factory", "serving.app:create_app")
        return Part(name, command, child_environment(settings), "api_port")
    component = name.removeprefix("airflow-")
    # the API server reads the logs from the disk: nobody needs the two extra servers that would hand them out
    arguments = [component, "--skip-serve-logs"] if component in ("scheduler", "triggerer") else [component]
    setting = "airflow_port" if component == "api-server" else ""
    return Part(name, airflow_command(*arguments), airflow_environment(settings), setting)


def _mlflow(settings: Settings) -> Part:
    """The application that ``mlflow server`` runs, without the 260 MB and 9 s of its waiting parent.

    The address of the database goes by the environment, not among the arguments: it holds the password.
    """
    artifacts = settings.home / "mlflow"
    artifacts.mkdir(parents=True, exist_ok=True)
    environment = {
        **child_environment(settings),
        "_MLFLOW_SERVER_FILE_STORE": database_url(settings, "mlflow").render_as_string(hide_password=False),
        "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/",
        "_MLFLOW_SERVER_ARTIFACT_DESTINATION": artifacts.as_uri(),
        "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
        "_MLFLOW_SGI_NAME": "uvicorn",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    command = _uvicorn(HOST, settings.mlflow_port, "mlflow.server.fastapi_app:app")
    return Part("mlflow", command, environment, "mlflow_port")


def _uvicorn(host: str, port: int, *application: str) -> list[str]:
    """Without a line in the log for each request: it would grow with the traffic, for years."""
    return [sys.executable, "-m", "uvicorn", "--no-access-log", "--host", host, "--port", str(port), *application]
