"""The embedded Valkey: the online store's server, on 127.0.0.1, with a password; its data survive."""

from __future__ import annotations

import time
from pathlib import Path
from urllib.parse import quote, urlsplit

import redis

from infra.errors import ServiceError
from infra.ports import HOST, require_free
from infra.processes import Running, end_processes, end_servers_in, log_path, running, start_process
from infra.quarters import Quarters, quarters
from infra.secrets import secret
from infra.settings import Settings

NAME = "valkey"
START_SECONDS = 60


def valkey_url(settings: Settings) -> str:
    """The address of the server, password included: the external one, else the embedded one."""
    if settings.valkey_url is not None:
        return settings.valkey_url.get_secret_value()
    return f"redis://:{quote(secret(settings, 'valkey_password'))}@{HOST}:{settings.valkey_port}/0"


def valkey_address(settings: Settings) -> str:
    """``host:port`` of the server, without the password."""
    parts = urlsplit(valkey_url(settings))
    return f"{parts.hostname}:{parts.port or 6379}"


def valkey(settings: Settings) -> redis.Redis:
    """A client whose answers are bytes; whoever asks for it closes it."""
    return redis.Redis.from_url(valkey_url(settings), socket_connect_timeout=3, socket_timeout=30)


def valkey_answers(settings: Settings) -> bool:
    """Whether the server, embedded or not, lets us in."""
    try:
        with valkey(settings) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False


def start_valkey(settings: Settings) -> bool:
    """Start it unless it runs already, and wait until it answers.

    Returns:
        False: it ran already.

    Raises:
        MachineError: the port is somebody else's, or the machine cannot run it.
        ServiceError: it does not start; the message ends with its last words.
    """
    found = running(settings, NAME)
    if found is not None and found.port == settings.valkey_port and _becomes_ready(settings, found):
        return False
    stop_valkey(settings)
    place = quarters(settings)
    data = place.data / "valkey"
    data.mkdir(mode=0o700, exist_ok=True)
    place.own(data)
    end_servers_in(data)
    require_free(settings.valkey_port, "valkey_port", "Valkey")
    if not _becomes_ready(settings, _launch(settings, place, data)):
        raise _failed(settings)
    return True


def stop_valkey(settings: Settings) -> bool:
    """Stop it; it writes what it holds first.

    Returns:
        whether it ran.
    """
    return bool(end_processes(settings, [NAME], grace=30.0))


def _launch(settings: Settings, place: Quarters, data: Path) -> Running:
    """The configuration goes in by standard input: a password among the arguments could be seen by all."""
    lines = [
        f"bind {HOST}",
        f"port {settings.valkey_port}",
        f"requirepass {secret(settings, 'valkey_password')}",
        "dir .",
        "appendonly yes",
        'save ""',
        "daemonize no",
    ]
    command, given = [str(place.valkey_server), "-"], "\n".join([*lines, ""]).encode()
    return start_process(
        settings, NAME, command, {"LC_ALL": "C"}, given=given, cwd=data, port=settings.valkey_port, **place.options()
    )


def _becomes_ready(settings: Settings, started: Running) -> bool:
    """Wait until it answers; one that still loads its data says so, and that can take a while."""
    deadline = time.monotonic() + START_SECONDS
    while started.alive and time.monotonic() < deadline:
        if valkey_answers(settings):
            return True
        time.sleep(0.02)
    return False


def _failed(settings: Settings) -> ServiceError:
    log = log_path(settings, NAME)
    words = log.read_text(encoding="utf-8", errors="replace").splitlines()[-5:]
    return ServiceError(f"Valkey does not start. {' | '.join(words)}", f"Its log is {log}.")
