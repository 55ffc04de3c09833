"""The background stack: what ``penchant up`` starts and ``penchant down`` stops.

``airflow standalone`` leaves children behind when it is ended; so each component of Airflow, the
MLflow server and the API are processes of our own, each leading a session that is ended as a whole.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta

from infra.database import create_databases, migrate
from infra.errors import ServiceError
from infra.health import well
from infra.ledger import Ledger
from infra.locks import one_at_a_time
from infra.orchestrator import prepare_airflow
from infra.parts import AIRFLOW, PARTS, part
from infra.pools import ensure_pools
from infra.ports import require_free
from infra.processes import end_orphans, end_processes, log_path, running, start_process
from infra.services import start_services, stop_services
from infra.settings import Settings
from infra.tracking import MODEL_NAME

START_SECONDS = 240

Report = Callable[[str, str], None]


def start_stack(settings: Settings, parts: Sequence[str] = PARTS, report: Report = lambda *_: None) -> None:
    """Start the servers and ``parts``, all at once, and wait until every one is well.

    Args:
        settings: whose stack.
        parts: names out of ``PARTS``; the servers come first in any case.
        report: called with a name and its news: ``starting``, ``started``, ``running`` (it was), ``external``.

    Raises:
        MachineError: a port is taken; nothing was started.
        ServiceError: a part died or is not well in time; those that this call started are ended.
    """
    with one_at_a_time(settings, "stack"):
        for name, news in start_services(settings).items():
            report(name, news)
        end_orphans(settings.home)
        wanted = [name for name in parts if running(settings, name) is None]
        _require_ports(settings, wanted)
        create_databases(settings)
        migrate(settings)
        started = datetime.now(UTC)
        try:
            _start(settings, wanted, report)
            _wait(settings, parts, wanted, started, report)
            if "airflow-api-server" in wanted:
                ensure_pools(settings)
            if "mlflow" in wanted:
                _finish_decisions(settings, report)
        except BaseException:
            end_processes(settings, wanted)
            raise


def stop_stack(settings: Settings, report: Report = lambda *_: None) -> list[str]:
    """End every part with all its children, then the embedded servers; returns what ran."""
    with one_at_a_time(settings, "stack"):
        ended = end_processes(settings, PARTS)
        for name in ended:
            report(name, "stopped")
        stopped = stop_services(settings)
        for name in stopped:
            report(name, "stopped")
    return [*ended, *stopped]


def _require_ports(settings: Settings, wanted: Iterable[str]) -> None:
    for name in wanted:
        setting = part(settings, name).setting
        if setting:
            require_free(getattr(settings, setting), setting, name)


def _start(settings: Settings, wanted: Sequence[str], report: Report) -> None:
    """MLflow and the API start while Airflow's tables are made; Airflow's components need them."""
    for name in sorted(wanted, key=lambda name: name in AIRFLOW):
        if name in AIRFLOW:
            prepare_airflow(settings)
        one = part(settings, name)
        start_process(settings, name, one.command, one.environment)
        report(name, "starting")


def _wait(settings: Settings, parts: Sequence[str], wanted: Sequence[str], started: datetime, report: Report) -> None:
    waiting, deadline = set(parts), datetime.now(UTC) + timedelta(seconds=START_SECONDS)
    while True:
        for name in sorted(well(settings, waiting & set(wanted), started) | well(settings, waiting - set(wanted))):
            waiting.remove(name)
            report(name, "started" if name in wanted else "running")
        if not waiting:
            return
        for name in sorted(waiting):
            if running(settings, name) is None:
                raise _failure(settings, name, "ended by itself")
        if datetime.now(UTC) > deadline:
            raise _failure(settings, min(waiting), f"is not well after {START_SECONDS} s")
        time.sleep(0.25)


def _finish_decisions(settings: Settings, report: Report) -> None:
    """Carry out what a crash cut short, where the ledger holds such a thing (MLflow's client takes seconds)."""
    with Ledger(settings, MODEL_NAME) as ledger:
        if all(entry.state != "intent" for entry in ledger.entries()):
            return
    from infra.registry import Registry

    with Registry(settings) as registry:
        for mended in registry.reconcile():
            report("ledger", mended)


def _failure(settings: Settings, name: str, why: str) -> ServiceError:
    log = log_path(settings, name)
    words = log.read_text(encoding="utf-8", errors="replace").splitlines()[-10:] if log.exists() else []
    return ServiceError(f"{name} {why}. Its last words:\n  " + "\n  ".join(words), f"The whole log is {log}.")
