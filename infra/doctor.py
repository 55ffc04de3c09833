"""What this machine must offer, checked one by one; nothing is changed but for the home folder's making."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from infra.errors import PenchantError
from infra.ports import holder, is_free
from infra.postgres import ENVIRONMENT
from infra.processes import running
from infra.quarters import postgres_install, server_account, valkey_binary
from infra.settings import Settings

GIB = 1 << 30
PYTHONS = ((3, 11), (3, 13))
PORTS = {
    "postgres_port": "postgres",
    "valkey_port": "valkey",
    "airflow_port": "airflow-api-server",
    "mlflow_port": "mlflow",
    "api_port": "api",
}


@dataclass(frozen=True)
class Check:
    """``state`` is ok, warn or fail; ``mend`` says what to do unless it is ok."""

    name: str
    state: str
    what: str
    mend: str = ""


def examine(settings: Settings) -> list[Check]:
    """All checks, in the order in which a person would mend them."""
    checks: list[Callable[[Settings], Check]] = [_python, _platform, _cores, _memory, _home, _disk, _account, _binaries]
    return [check(settings) for check in checks] + [_port(settings, name) for name in PORTS]


def _python(_: Settings) -> Check:
    here = f"Python {platform.python_version()}"
    if PYTHONS[0] <= sys.version_info[:2] <= PYTHONS[1]:
        return Check("python", "ok", here)
    return Check("python", "fail", f"{here} is not supported.", "Install Python 3.11, 3.12 or 3.13.")


def _platform(_: Settings) -> Check:
    system, machine = platform.system(), platform.machine()
    here = f"{system} on {machine}"
    if system == "Linux":
        return Check("platform", "ok", here)
    if system == "Darwin" and machine == "arm64":
        return Check("platform", "warn", f"{here} is meant to work and untested.", "Use Linux where it matters.")
    return Check("platform", "fail", f"{here} is not supported: TensorFlow has no build for it.", "Use Linux.")


def _cores(_: Settings) -> Check:
    cores = os.cpu_count() or 1
    if cores >= 2:
        return Check("cores", "ok", f"{cores} cores")
    return Check("cores", "warn", "One core: everything takes about twice as long.", "Use two or more.")


def _memory(_: Settings) -> Check:
    total = psutil.virtual_memory().total / GIB
    if total >= 7:  # what is left of a machine sold as 8 GiB
        return Check("memory", "ok", f"{total:.0f} GiB of memory")
    if total >= 5:
        return Check("memory", "warn", f"{total:.1f} GiB of memory is tight.", "Use 8 GiB, or close other programs.")
    return Check("memory", "fail", f"{total:.1f} GiB of memory is too little.", "Use a machine with 8 GiB.")


def _home(settings: Settings) -> Check:
    try:
        settings.home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=settings.home) as file:
            file.write(b"penchant")
    except OSError as error:
        return Check("home", "fail", f"{settings.home}: {error.strerror}.", "Set PENCHANT_HOME to a folder of yours.")
    return Check("home", "ok", f"{settings.home} can be written")


def _disk(settings: Settings) -> Check:
    folder = next(path for path in (settings.home, *settings.home.parents) if path.exists())
    free = shutil.disk_usage(folder).free / GIB
    what = f"{free:.1f} GiB free at {folder}"
    if free >= 5:
        return Check("disk", "ok", what)
    return Check("disk", "warn" if free >= 2 else "fail", f"Only {what}.", "Free some: 5 GiB hold the demo with ease.")


def _account(_: Settings) -> Check:
    try:
        account = server_account()
    except PenchantError as error:
        return Check("account", "fail", error.what, error.mend)
    return Check("account", "ok", f"servers run as {account.name if account else 'you'}")


def _binaries(_: Settings) -> Check:
    try:
        versions = [_version(program) for program in (postgres_install() / "bin" / "postgres", valkey_binary())]
    except (PenchantError, OSError, subprocess.SubprocessError) as error:
        mend = "Set PENCHANT_POSTGRES_URL and PENCHANT_VALKEY_URL to servers of your own."
        return Check("binaries", "fail", f"PostgreSQL and Valkey cannot be run: {error}", mend)
    return Check("binaries", "ok", " and ".join(versions))


def _version(program: Path) -> str:
    done = subprocess.run([program, "--version"], env=ENVIRONMENT, cwd="/", check=True, capture_output=True, text=True)
    return " ".join(done.stdout.split()[:3])


def _port(settings: Settings, name: str) -> Check:
    port, server = getattr(settings, name), PORTS[name]
    if running(settings, server) is not None:
        return Check(name, "ok", f"port {port}: our {server}")
    if is_free(port):
        return Check(name, "ok", f"port {port} is free")
    mend = f"Stop that program, or set PENCHANT_{name.upper()} to another port."
    return Check(name, "fail", f"Port {port}, wanted for {server}, is used by {holder(port)}.", mend)
