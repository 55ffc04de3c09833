"""Which ports are free, who holds one, and what to say when it is somebody else."""

from __future__ import annotations

import errno
import random
import socket
from itertools import islice

import psutil

from infra.errors import MachineError

HOST = "127.0.0.1"


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of this machine now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return False
            raise
    return True


def free_port() -> int:
    """A port that nobody listens on now, for tests and trials; see ``free_ports``."""
    return free_ports(1)[0]


def free_ports(count: int) -> list[int]:
    """Different ports that nobody listens on now.

    Below those that the system hands to outgoing connections: one of them could be gone a second later.
    """
    return list(islice((port for port in _shuffled(range(20_000, 32_000)) if is_free(port)), count))


def require_free(port: int, setting: str, server: str) -> None:
    """Refuse to start ``server`` where somebody else listens.

    Args:
        port: the port wanted.
        setting: the setting that names it, such as ``postgres_port``.
        server: the server's name, for the message.

    Raises:
        MachineError: names the port, who holds it where that can be seen, and the setting.
    """
    if not is_free(port):
        raise MachineError(
            f"Port {port}, wanted for {server}, is used by {holder(port)}.",
            f"Stop that program, or choose another port with PENCHANT_{setting.upper()}.",
        )


def holder(port: int) -> str:
    """Who listens on ``port``, as far as this user may know."""
    try:
        found = [one for one in psutil.net_connections("tcp") if one.laddr and one.laddr.port == port]
        pids = {one.pid for one in found if one.status == psutil.CONN_LISTEN and one.pid}
        names = [f"{psutil.Process(pid).name()} (process {pid})" for pid in sorted(pids)]
    except psutil.Error:
        names = []
    return " and ".join(names) or "another program"


def _shuffled(ports: range) -> list[int]:
    return random.sample(ports, len(ports))
