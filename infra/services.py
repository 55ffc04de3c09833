"""The two embedded servers together; one whose address is set is used as it is, and never started."""

from __future__ import annotations

import shutil

from infra.errors import MachineError, ServiceError
from infra.locks import one_at_a_time
from infra.postgres import postgres_answers, start_postgres, stop_postgres
from infra.settings import Settings
from infra.valkey import start_valkey, stop_valkey, valkey_answers

SPACE = 500_000_000  # bytes


def start_services(settings: Settings) -> dict[str, str]:
    """See to it that PostgreSQL and Valkey answer.

    Returns:
        by server: ``started``, ``running`` (it was), or ``external``.

    Raises:
        MachineError, ServiceError: one of them cannot be had; says why, and how to mend it.
    """
    with one_at_a_time(settings, "services"):
        _require_space(settings)
        return {"postgres": _postgres(settings), "valkey": _valkey(settings)}


def stop_services(settings: Settings) -> list[str]:
    """Stop the embedded servers; returns the names of those that ran."""
    with one_at_a_time(settings, "services"):
        stopped = {"valkey": stop_valkey(settings), "postgres": stop_postgres(settings)}
    return [name for name, ran in stopped.items() if ran]


def _require_space(settings: Settings) -> None:
    """A server on a full disk dies in the midst of its work: better not to start it."""
    free = shutil.disk_usage(settings.home).free
    if free < SPACE:
        raise MachineError(
            f"Only {free / 1e6:.0f} MB are free at {settings.home}.",
            f"Free at least {SPACE / 1e6:.0f} MB, or move everything with PENCHANT_HOME.",
        )


def _postgres(settings: Settings) -> str:
    if settings.postgres_url is None:
        return "started" if start_postgres(settings) else "running"
    if not postgres_answers(settings):
        raise ServiceError("The PostgreSQL of PENCHANT_POSTGRES_URL does not let us in.", "Mend the address.")
    return "external"


def _valkey(settings: Settings) -> str:
    if settings.valkey_url is None:
        return "started" if start_valkey(settings) else "running"
    if not valkey_answers(settings):
        raise ServiceError("The server of PENCHANT_VALKEY_URL does not let us in.", "Mend the address.")
    return "external"
