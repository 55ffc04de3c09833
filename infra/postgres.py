"""The embedded PostgreSQL 18: started from its wheel's binaries, on 127.0.0.1, with a password."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import psycopg2

from infra.database import USER, server_url
from infra.errors import MachineError, ServiceError
from infra.ports import HOST, require_free
from infra.processes import Running, birth, end_servers_in, forget_process, log_path, running, start_process
from infra.quarters import Quarters, quarters
from infra.secrets import secret
from infra.settings import Settings

NAME = "postgres"
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
START_SECONDS = 60
CONNECTIONS = 150  # Airflow's four components, MLflow, the API and tasks each keep a small pool


def start_postgres(settings: Settings) -> bool:
    """Start it unless it runs already, and wait until it lets us in.

    Returns:
        False: it ran already.

    Raises:
        MachineError: the port is somebody else's, or the machine cannot run it.
        ServiceError: it does not start; the message ends with its last words.
    """
    found = running(settings, NAME)
    if found is not None and found.port == settings.postgres_port and _becomes_ready(settings, found) is None:
        return False
    stop_postgres(settings)
    place = quarters(settings)
    data = _data(settings, place)
    _drop_stale_lock(data)
    end_servers_in(data)
    require_free(settings.postgres_port, "postgres_port", "PostgreSQL")
    reason = _becomes_ready(settings, _launch(settings, place, data))
    if reason is not None:
        raise _failed(settings, reason)
    return True


def stop_postgres(settings: Settings, grace: float = 30.0) -> bool:
    """Stop it in good order (its "fast" way), and at once if that takes longer than ``grace`` seconds.

    Returns:
        whether it ran.
    """
    found = running(settings, NAME)
    if found is not None:
        postmaster = psutil.Process(found.pid)
        members = [postmaster, *postmaster.children(recursive=True)]
        for number, seconds in ((signal.SIGINT, grace), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0)):
            with suppress(psutil.NoSuchProcess):
                postmaster.send_signal(number)
            if _gone(found, members, seconds):
                break
    forget_process(settings, NAME)
    return found is not None


def postgres_answers(settings: Settings) -> bool:
    """Whether the server, embedded or not, lets us in."""
    try:
        psycopg2.connect(_address(settings), connect_timeout=3).close()
    except psycopg2.OperationalError:
        return False
    return True


def _address(settings: Settings) -> str:
    return server_url(settings).set(drivername="postgresql").render_as_string(hide_password=False)


def _data(settings: Settings, place: Quarters) -> Path:
    """The data folder; made aside and renamed, so that a half-made one is never used."""
    data = place.data / "postgres"
    if (data / "PG_VERSION").exists():
        return data
    aside = place.data / ".postgres.new"
    password = place.data / ".postgres.password"
    shutil.rmtree(aside, ignore_errors=True)
    try:
        aside.mkdir(mode=0o700)
        password.touch(mode=0o600)
        password.write_text(secret(settings, "postgres_password"), encoding="ascii")
        place.own(aside)
        place.own(password)
        _initialise(place, aside, password)
        aside.replace(data)
    except OSError as error:
        raise MachineError(f"The data folder {data} cannot be made: {error.strerror}.", "Free space there.") from error
    finally:
        password.unlink(missing_ok=True)
    return data


def _initialise(place: Quarters, data: Path, password: Path) -> None:
    command = [
        str(place.postgres_bin / "initdb"), "--pgdata", str(data), "--username", USER, "--pwfile", str(password),
        "--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C",
        "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8", "--no-instructions",
        "--set", "timezone=UTC", "--set", "log_timezone=UTC",
    ]  # fmt: skip
    done = subprocess.run(
        command, env=ENVIRONMENT, cwd=data, capture_output=True, text=True, check=False, **place.options()
    )
    if done.returncode != 0:
        raise ServiceError(f"PostgreSQL's initdb failed: {done.stderr.strip()[-500:]}", "Run 'penchant doctor'.")


def _launch(settings: Settings, place: Quarters, data: Path) -> Running:
    options: dict[str, Any] = {
        "listen_addresses": HOST,
        "port": settings.postgres_port,
        "unix_socket_directories": "",
        "max_connections": CONNECTIONS,
        "log_min_messages": "warning",
    }
    command = [str(place.postgres_bin / "postgres"), "-D", str(data)]
    command += [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
    return start_process(settings, NAME, command, ENVIRONMENT, cwd=data, port=settings.postgres_port, **place.options())


def _drop_stale_lock(data: Path) -> None:
    """Remove the lock of a server that was killed, whose number may now belong to another process."""
    lock = data / "postmaster.pid"
    try:
        pid = int(lock.read_text(encoding="utf-8").split()[0])
    except (FileNotFoundError, IndexError, ValueError):
        return
    try:
        alive = birth(pid) is not None and str(data) in psutil.Process(pid).cmdline()
    except psutil.Error:
        alive = False
    if not alive:
        lock.unlink()


def _becomes_ready(settings: Settings, started: Running) -> str | None:
    """Wait until it lets us in: None, or why it does not."""
    deadline = time.monotonic() + START_SECONDS
    reason = "no answer"
    while started.alive and time.monotonic() < deadline:
        try:
            psycopg2.connect(_address(settings), connect_timeout=3).close()
            return None
        except psycopg2.OperationalError as error:
            reason = str(error).strip()
            if "password authentication failed" in reason:
                break
            time.sleep(0.05)
    return reason


def _failed(settings: Settings, reason: str) -> ServiceError:
    log = log_path(settings, NAME)
    words = log.read_text(encoding="utf-8", errors="replace").splitlines()[-5:]
    return ServiceError(f"PostgreSQL does not start ({reason}). {' | '.join(words)}", f"Its log is {log}.")


def _gone(found: Running, members: list[psutil.Process], seconds: float) -> bool:
    psutil.wait_procs(members, timeout=seconds)
    return not found.alive
