"""What runs, where it answers, what the lake holds and what serves: read, and nothing started."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from infra.database import engine, server_url
from infra.health import api_url, is_ready, mlflow_url, well
from infra.orchestrator import USER, airflow_password, airflow_url
from infra.parts import PARTS
from infra.postgres import postgres_answers
from infra.processes import log_path, running
from infra.secrets import secret_path
from infra.settings import Settings
from infra.tables import ledger
from infra.valkey import valkey_address, valkey_answers

SEATING = ("first_champion", "promote", "rollback")


@dataclass(frozen=True)
class Server:
    """``state``: well, ailing (it runs and does not answer), stopped."""

    name: str
    state: str
    address: str
    log: str


def status(settings: Settings) -> dict[str, Any]:
    """Everything ``penchant status`` says, as JSON can hold it."""
    servers = servers_status(settings)
    states = {server.name: server.state for server in servers}
    return {
        "home": str(settings.home),
        "servers": [asdict(server) for server in servers],
        "ready": states["api"] == "well" and is_ready(settings),
        "airflow": log_in(settings),
        "lake": lake_status(settings),
        "champion": champion(settings) if states["postgres"] == "well" else "unknown",
    }


def servers_status(settings: Settings) -> list[Server]:
    """PostgreSQL, Valkey and every part of the stack."""
    url = server_url(settings)
    found = [
        _server(settings, "postgres", postgres_answers(settings), f"{url.host}:{url.port or 5432}"),
        _server(settings, "valkey", valkey_answers(settings), valkey_address(settings)),
    ]
    alive = {name for name in PARTS if running(settings, name) is not None}
    good = well(settings, alive)
    addresses = {
        "airflow-api-server": airflow_url(settings),
        "mlflow": mlflow_url(settings),
        "api": f"{api_url(settings)}/docs",
    }
    return found + [_server(settings, name, name in good, addresses.get(name, "")) for name in PARTS]


def log_in(settings: Settings) -> dict[str, str]:
    """How to log in to Airflow."""
    path = str(secret_path(settings, "airflow_admin_password"))
    return {"url": airflow_url(settings), "user": USER, "password": airflow_password(settings), "password_file": path}


def lake_status(settings: Settings) -> dict[str, Any]:
    days = settings.lake.closed_days()
    first, last = (days[0].isoformat(), days[-1].isoformat()) if days else (None, None)
    return {"closed_days": len(days), "first_day": first, "last_day": last}


def champion(settings: Settings) -> dict[str, Any] | None:
    """What the ledger says serves; None when it says nothing yet."""
    seated = (ledger.c.state == "confirmed") & ledger.c.action.in_(SEATING)
    penchant = engine(settings)
    try:
        with penchant.connect() as connection:
            row = connection.execute(select(ledger).where(seated).order_by(ledger.c.id.desc()).limit(1)).one_or_none()
    except SQLAlchemyError:
        return None  # no database or no table yet: nothing was ever decided
    finally:
        penchant.dispose()
    if row is None:
        return None
    return {"model": row.model, "version": row.version, "since": row.at.isoformat(), "reason": row.reason}


def _server(settings: Settings, name: str, answers: bool, address: str) -> Server:
    external = {"postgres": settings.postgres_url, "valkey": settings.valkey_url}.get(name) is not None
    state = "ailing" if external or running(settings, name) is not None else "stopped"
    return Server(name, "well" if answers else state, address, "" if external else str(log_path(settings, name)))
