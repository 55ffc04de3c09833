"""Whether a cluster answers: Spark itself tries for minutes, and says only that something was stopped."""

from __future__ import annotations

import os
import socket
from typing import Final
from urllib.parse import urlsplit

from infra.errors import ServiceError, SettingsError

_PATIENCE: Final = 5.0  # seconds
_PORTS: Final = {"spark": 7077, "https": 443, "http": 80}
_YARN: Final = ("HADOOP_CONF_DIR", "YARN_CONF_DIR")


def require_answer(master: str) -> None:
    """Hold that somebody listens where ``master`` says; a local one is started, and asks nobody.

    Raises:
        ServiceError: none of its addresses can be reached.
        SettingsError: nothing says where YARN is, or an address cannot be read.
    """
    if master == "yarn" and not any(os.environ.get(name) for name in _YARN):
        raise SettingsError(
            "spark_master is yarn, and nothing says where that is.",
            f"Set {_YARN[0]} to the folder with yarn-site.xml.",
        )
    failures = [_failure(*address) for address in addresses(master)]
    if failures and all(failures):
        raise ServiceError(
            f"No Spark master answers at {master}: {'; '.join(filter(None, failures))}.",
            "Start it, or set spark_master (PENCHANT_SPARK_MASTER) to one that runs, such as local[*].",
        )


def addresses(master: str) -> list[tuple[str, int]]:
    """Hosts and ports of ``spark://one:7077,other`` or ``k8s://https://host:443``; none of other masters."""
    if master.startswith("k8s://"):
        where = master.removeprefix("k8s://")
        return [_address(where if "://" in where else f"https://{where}", master)]
    if master.startswith("spark://"):
        return [_address(f"spark://{where}", master) for where in master.removeprefix("spark://").split(",")]
    return []


def _address(url: str, master: str) -> tuple[str, int]:
    try:
        parts = urlsplit(url)
        if not parts.hostname:
            raise ValueError("there is no host")
        return parts.hostname, parts.port or _PORTS[parts.scheme]
    except (ValueError, KeyError) as error:
        raise SettingsError(f"spark_master {master} cannot be read: {error}.", "Write spark://HOST:PORT.") from error


def _failure(host: str, port: int) -> str | None:
    """Why nobody answers there; None: somebody does."""
    try:
        socket.create_connection((host, port), _PATIENCE).close()
    except OSError as error:
        return f"{host}:{port}: {error.strerror or error}"
    return None
