"""Airflow as this platform runs it: its whole configuration, its database and its log-in.

Nothing here imports Airflow: it is configured through the environment and started as programs.
"""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from infra.children import child_environment
from infra.database import database_url, engine
from infra.errors import ServiceError
from infra.lake import read_json, write_json, written_aside
from infra.ports import HOST
from infra.processes import log_path
from infra.secrets import secret, secret_path
from infra.settings import PROJECT, Settings

COMPONENTS = ("scheduler", "dag-processor", "api-server", "triggerer")
USER = "admin"
# these say at every turn that all is as before: their logs would grow for ever, and a task's would drown in them
CHATTY = (
    "airflow.dag_processing.manager.DagFileProcessorManager",
    "airflow.models.dag",
    "airflow.serialization.definitions.dag",
    "great_expectations",
)


def airflow_home(settings: Settings) -> Path:
    return settings.home / "airflow"


def airflow_url(settings: Settings) -> str:
    return f"http://{HOST}:{settings.airflow_port}"


def airflow_password(settings: Settings) -> str:
    """The password of the user ``admin``."""
    return secret(settings, "airflow_admin_password")


def airflow_command(*arguments: str) -> list[str]:
    """How to run Airflow's own command line, wherever the PATH leads."""
    return [sys.executable, "-m", "airflow", *arguments]


def airflow_environment(settings: Settings) -> dict[str, str]:
    """The whole environment of an Airflow process: ours, with every option of Airflow's that we set."""
    options = {**_core(settings), **_database(settings), **_api(settings), **_pace()}
    named = {f"AIRFLOW__{name.upper().replace('.', '__')}": value for name, value in options.items()}
    return {**child_environment(settings), "AIRFLOW_HOME": str(airflow_home(settings)), **named}


def prepare_airflow(settings: Settings) -> bool:
    """Write the log-in, and create or upgrade Airflow's tables where they are not this version's.

    Returns:
        whether the tables had to be made.

    Raises:
        ServiceError: Airflow could not make them; ends with its last words.
    """
    airflow_home(settings).mkdir(parents=True, exist_ok=True)
    _write_passwords(settings)
    if _is_migrated(settings):
        return False
    log = log_path(settings, "airflow-migrate")
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        done = subprocess.run(
            airflow_command("db", "migrate"), env=airflow_environment(settings), cwd=settings.home,
            stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=False,
        )  # fmt: skip
    if done.returncode != 0:
        words = log.read_text(encoding="utf-8", errors="replace").splitlines()[-10:]
        raise ServiceError(f"Airflow could not make its tables: {' | '.join(words)}", f"The log is {log}.")
    write_json(_mark(settings), {"airflow": version("apache-airflow"), "revision": _revision(settings)})
    return True


def last_said(settings: Settings, dag_id: str, run_id: str, task_id: str) -> str:
    """What the newest try of a task printed last; empty when it printed nothing yet.

    Read from its file: of a task that still runs, Airflow's API asks a server of logs, and none is needed here.
    """
    folder = airflow_home(settings) / "logs" / f"dag_id={dag_id}" / f"run_id={run_id}" / f"task_id={task_id}"
    tries = sorted(folder.glob("attempt=*.log"), key=lambda path: (len(path.name), path.name))
    if not tries:
        return ""
    lines = tries[-1].read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
    entries = (json.loads(line) for line in lines if line.startswith("{") and line.endswith("}\n"))
    printed = [entry["event"] for entry in entries if entry.get("logger") == "task.stdout"]
    return str(printed[-1]) if printed else ""


def _core(settings: Settings) -> dict[str, str]:
    return {
        "core.dags_folder": str(PROJECT / "dags"),
        "core.plugins_folder": str(airflow_home(settings) / "plugins"),
        "core.executor": "LocalExecutor",
        "core.parallelism": str(settings.threads),
        "core.load_examples": "False",
        "core.hostname_callable": "socket.gethostname",  # getfqdn waits for a name server that may not be there
        "core.fernet_key": secret(settings, "airflow_fernet_key") + "=",  # base64 of 32 bytes, padded
        "core.simple_auth_manager_users": f"{USER}:admin",
        "core.simple_auth_manager_passwords_file": str(_passwords(settings)),
        "core.execution_api_server_url": f"{airflow_url(settings)}/execution/",
        "core.min_serialized_dag_update_interval": "5",
        "logging.base_log_folder": str(airflow_home(settings) / "logs"),
        "logging.dag_processor_child_process_log_directory": str(airflow_home(settings) / "logs" / "dag_processor"),
        "logging.colored_console_log": "False",
        "logging.namespace_levels": " ".join(f"{name}=WARNING" for name in CHATTY),
        "dag_processor.dag_bundle_storage_path": str(airflow_home(settings) / "bundles"),
    }


def _database(settings: Settings) -> dict[str, str]:
    url = database_url(settings, "airflow")
    blocking, waiting = (url.set(drivername=f"postgresql+{driver}") for driver in ("psycopg2", "psycopg"))
    return {
        "database.sql_alchemy_conn": blocking.render_as_string(hide_password=False),
        "database.sql_alchemy_conn_async": waiting.render_as_string(hide_password=False),
        "database.check_migrations": "False",  # prepare_airflow has seen to them
    }


def _api(settings: Settings) -> dict[str, str]:
    return {
        "api.host": HOST,
        "api.port": str(settings.airflow_port),
        "api.base_url": airflow_url(settings),
        "api.workers": "1",
        "api.expose_config": "False",
        "api.secret_key": secret(settings, "airflow_api_key"),
        "api_auth.jwt_secret": secret(settings, "airflow_jwt_key", size=64),
        "api_auth.jwt_issuer": "penchant",
    }


def _pace() -> dict[str, str]:
    """New and changed DAG files are seen within seconds; one small machine does the parsing."""
    return {
        "dag_processor.refresh_interval": "5",
        "dag_processor.min_file_process_interval": "120",  # of a file that has not changed
        "dag_processor.parsing_processes": "1",
        "dag_processor.print_stats_interval": "300",
        "scheduler.scheduler_heartbeat_sec": "3",
        "scheduler.max_tis_per_query": "8",
        "triggerer.capacity": "100",
        "database.sql_alchemy_pool_size": "3",
    }


def _passwords(settings: Settings) -> Path:
    return secret_path(settings, "airflow_passwords").with_suffix(".json")


def _write_passwords(settings: Settings) -> None:
    content = json.dumps({USER: airflow_password(settings)})
    path = _passwords(settings)
    if path.exists() and path.read_text(encoding="utf-8") == content:
        return
    with written_aside(path) as aside:
        aside.touch(mode=0o600)
        aside.write_text(content, encoding="utf-8")


def _mark(settings: Settings) -> Path:
    return airflow_home(settings) / "migrated.json"


def _is_migrated(settings: Settings) -> bool:
    """Asking Airflow itself takes seconds: a note of the last migration and one query tell as much."""
    try:
        mark = read_json(_mark(settings))
    except (FileNotFoundError, ValueError):
        return False
    return bool(mark["airflow"] == version("apache-airflow") and mark["revision"] == _revision(settings) is not None)


def _revision(settings: Settings) -> str | None:
    database = engine(settings, "airflow")
    try:
        with database.connect() as connection:
            return str(connection.scalar(text("SELECT version_num FROM alembic_version")))
    except ProgrammingError:
        return None
    finally:
        database.dispose()
