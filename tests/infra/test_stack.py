"""The stack's pieces that can be tested without starting Airflow; the whole is in test_stack_whole.py."""

from __future__ import annotations

import json
import socket
import stat
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import make_url

from infra import parts, stack
from infra.children import child_environment
from infra.database import server_url
from infra.errors import MachineError, ServiceError
from infra.health import airflow_well, ask, well
from infra.orchestrator import airflow_environment, airflow_password
from infra.parts import PARTS, Part, part
from infra.processes import running
from infra.settings import PROJECT, Settings, load_settings
from infra.valkey import valkey_url

NOW = datetime.now(UTC)


class _Airflow(BaseHTTPRequestHandler):
    """Says of every component what Airflow would say, as of now."""

    def do_GET(self) -> None:
        beats = {
            "scheduler": {"status": "healthy", "latest_scheduler_heartbeat": NOW.isoformat()},
            "dag_processor": {"status": "healthy", "latest_dag_processor_heartbeat": NOW.isoformat()},
            "triggerer": {"status": "unhealthy", "latest_triggerer_heartbeat": None},
        }
        body = json.dumps({"metadatabase": {"status": "healthy"}, **beats}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def airflow(settings: Settings) -> Iterator[Settings]:
    server = ThreadingHTTPServer(("127.0.0.1", settings.airflow_port), _Airflow)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield settings
    server.shutdown()
    server.server_close()


def test_airflow_is_told_everything(settings: Settings) -> None:
    found = airflow_environment(settings)
    assert found["AIRFLOW_HOME"] == str(settings.home / "airflow")
    assert found["AIRFLOW__CORE__DAGS_FOLDER"] == str(PROJECT / "dags")
    assert found["AIRFLOW__CORE__EXECUTOR"] == "LocalExecutor"
    assert found["AIRFLOW__CORE__PARALLELISM"] == str(settings.threads)
    assert found["AIRFLOW__CORE__LOAD_EXAMPLES"] == found["AIRFLOW__API__EXPOSE_CONFIG"] == "False"
    assert f":{settings.airflow_port}/execution/" in found["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"]
    url = make_url(found["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"])
    assert (url.drivername, url.port, url.database) == ("postgresql+psycopg2", settings.postgres_port, "airflow")
    Fernet(found["AIRFLOW__CORE__FERNET_KEY"])
    assert found == airflow_environment(settings)  # keys are kept: sessions and connections survive a restart


def test_children_see_the_settings_of_their_parent(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.home.mkdir()
    (settings.home / "settings.toml").write_text('currency = "EUR"\n')
    given = load_settings(settings.home, threads=7, window_days=(1, 14), postgres_url="postgresql://me:pw@db")
    environment = child_environment(given)
    assert "PENCHANT_CURRENCY" not in environment  # found in the file, where it may change later
    for name in [name for name in environment if name.startswith("PENCHANT_")]:
        monkeypatch.setenv(name, environment[name])
    assert load_settings() == given


def test_children_do_not_inherit_what_feast_leaves_behind(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROCESS_DIR", "/tmp/feast_metrics_gone")  # noqa: S108
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "/var/lib/metrics")
    environment = child_environment(settings)
    assert "PROMETHEUS_MULTIPROCESS_DIR" not in environment
    assert environment["PROMETHEUS_MULTIPROC_DIR"] == "/var/lib/metrics"  # somebody's own folder


def test_no_password_is_among_the_arguments_of_a_part(settings: Settings) -> None:
    arguments = " ".join(word for name in PARTS for word in part(settings, name).command)
    secrets = [path.read_text() for path in (settings.home / "secrets").iterdir()]
    assert not [secret for secret in secrets if secret in arguments]


def test_nothing_reports_home(settings: Settings) -> None:
    environment = child_environment(settings)
    assert (environment["MLFLOW_DISABLE_TELEMETRY"], environment["DO_NOT_TRACK"]) == ("true", "true")


def test_the_airflow_password_is_a_secret_file(settings: Settings) -> None:
    from infra.orchestrator import _write_passwords

    _write_passwords(settings)
    path = settings.home / "secrets" / "airflow_passwords.json"
    assert json.loads(path.read_text()) == {"admin": airflow_password(settings)}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_airflow_is_well_where_it_says_so(airflow: Settings) -> None:
    assert airflow_well(airflow) == {"airflow-api-server", "airflow-scheduler", "airflow-dag-processor"}
    assert well(airflow, ["airflow-scheduler", "mlflow", "api"]) == {"airflow-scheduler"}


def test_a_heartbeat_from_before_the_start_does_not_count(airflow: Settings) -> None:
    assert airflow_well(airflow, NOW + timedelta(seconds=1)) == {"airflow-api-server"}


def test_nobody_answers_where_nobody_listens(settings: Settings) -> None:
    assert ask(f"http://127.0.0.1:{settings.api_port}/healthz") == (0, b"")
    assert well(settings, PARTS) == set()


@pytest.fixture
def stackable(services: Settings, settings: Settings) -> Settings:
    """A home of its own on the shared servers: nobody else's parts run there."""
    postgres = server_url(services).set(drivername="postgresql").render_as_string(hide_password=False)
    ports = {name: getattr(settings, name) for name in ("airflow_port", "mlflow_port", "api_port")}
    return load_settings(settings.home, postgres_url=postgres, valkey_url=valkey_url(services), **ports)


@pytest.mark.integration
def test_a_port_in_use_is_named_before_anything_starts(stackable: Settings) -> None:
    taken = socket.create_server(("127.0.0.1", stackable.mlflow_port))
    with taken, pytest.raises(MachineError, match="mlflow") as refused:
        stack.start_stack(stackable, ["mlflow"])
    assert "PENCHANT_MLFLOW_PORT" in refused.value.mend
    assert running(stackable, "mlflow") is None


@pytest.mark.integration
def test_a_part_that_dies_is_an_error_with_its_last_words(stackable: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    dying = Part("api", ["/bin/sh", "-c", "echo something is missing; exit 3"], {})
    monkeypatch.setattr(stack, "part", lambda *_: dying)
    with pytest.raises(ServiceError, match="something is missing") as failed:
        stack.start_stack(stackable, ["api"])
    assert str(stackable.home / "logs" / "api.log") in failed.value.mend
    assert running(stackable, "api") is None


def test_every_part_has_a_command(settings: Settings) -> None:
    for name in PARTS:
        found = parts.part(settings, name)
        assert found.name == name
        assert found.environment["PENCHANT_HOME"] == str(settings.home)
