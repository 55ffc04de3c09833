"""Background processes that outlive the command that started them.

Each leads a session of its own, noted in ``<home>/run/<name>.json`` with the moment of its birth: a
recycled process id is never taken for ours. Ending one ends every process of its session, and their
children that made a session of their own.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from infra.lake import read_json, write_json
from infra.settings import Settings

LOG_LIMIT = 10_000_000  # bytes after which a log moves to <name>.log.1 at the next start


@dataclass(frozen=True)
class Running:
    """A process that was started here, and is or was alive."""

    name: str
    pid: int
    birth: str
    port: int | None = None

    @property
    def alive(self) -> bool:
        return birth(self.pid) == self.birth


def log_path(settings: Settings, name: str) -> Path:
    return settings.home / "logs" / f"{name}.log"


def start_process(
    settings: Settings, name: str, command: list[str], environment: Mapping[str, str], **options: Any
) -> Running:
    """Start ``command`` in a session of its own, its output in the log, and note its birth.

    Args:
        settings: whose process it is; it starts in the home folder.
        name: the process's name in ``run`` and ``logs``.
        command: the program and its arguments.
        environment: the whole environment.
        options: more for ``subprocess.Popen``, such as ``user``; and ``port``, noted with the process;
            and ``given``, bytes for its standard input.
    """
    log = log_path(settings, name)
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists() and log.stat().st_size > LOG_LIMIT:
        log.replace(log.with_suffix(".log.1"))
    given: bytes | None = options.pop("given", None)
    port: int | None = options.pop("port", None)
    options = {"cwd": settings.home, "stdin": subprocess.DEVNULL if given is None else subprocess.PIPE, **options}
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, env=dict(environment), stdout=output, stderr=output, start_new_session=True, **options
        )
    note = _note(settings, name, process, port)
    if given is not None and process.stdin is not None:
        with suppress(BrokenPipeError), process.stdin as pipe:
            pipe.write(given)
    return note


def running(settings: Settings, name: str) -> Running | None:
    """The process of that name if it is alive, and ours."""
    note = noted(settings, name)
    return note if note is not None and note.alive else None


def noted(settings: Settings, name: str) -> Running | None:
    """The process of that name as it was last started, alive or not."""
    try:
        note = read_json(_note_path(settings, name))
    except (FileNotFoundError, NotADirectoryError):
        return None
    return Running(name, note["pid"], note["birth"], note["port"])


def forget_process(settings: Settings, name: str) -> None:
    _note_path(settings, name).unlink(missing_ok=True)


def end_processes(settings: Settings, names: Iterable[str], grace: float = 15.0) -> list[str]:
    """End the processes of these names and all that they started: TERM, and after ``grace`` seconds KILL.

    Returns:
        the names of those that ran.
    """
    notes = [note for name in names if (note := noted(settings, name)) is not None]
    ended = [note.name for note in notes if family(note)]
    end_families(lambda: [process for note in notes for process in family(note)], grace)
    for note in notes:
        forget_process(settings, note.name)
    return ended


def end_families(members: Callable[[], list[psutil.Process]], grace: float) -> None:
    """End ``members()`` and whoever joins them meanwhile."""
    seen = _signal(members(), signal.SIGTERM)
    deadline = time.monotonic() + grace
    while _alive(seen) and time.monotonic() < deadline:
        time.sleep(0.05)
    while left := _alive(seen | set(members())):
        seen |= _signal(left, signal.SIGKILL)
        time.sleep(0.02)


def end_servers_in(folder: Path) -> None:
    """End the servers that work in ``folder`` and that no note knows any more."""
    _end(process for process, place, _ in _places(folder) if process.info["name"] in ("postgres", "valkey-server"))


def end_orphans(home: Path) -> None:
    """End our programs that still work in this home though it was deleted, and perhaps made anew since."""
    ours = Path(sys.executable).resolve()
    _end(process for process, _, deleted in _places(home) if deleted and process.info["exe"] == str(ours))


def _places(folder: Path) -> Iterator[tuple[psutil.Process, Path, bool]]:
    """Processes that work in ``folder`` or below, where, and whether that place was deleted under them."""
    for process in psutil.process_iter(["cwd", "name", "exe"]):
        text = process.info["cwd"] or ""
        place = Path(text.removesuffix(" (deleted)"))  # so says Linux
        if text and place.is_relative_to(folder):
            yield process, place, text != str(place)


def _end(processes: Iterable[psutil.Process]) -> None:
    orphans = list(processes)
    end_families(lambda: [process for process in orphans if process.is_running()], grace=5.0)


def family(note: Running) -> list[psutil.Process]:
    """The noted process, the members of its session, and all their descendants.

    The leader may be dead: the kernel keeps its number for as long as its session has members. After
    a reboot, or when the number leads another's session, there is no family.
    """
    if birth(note.pid) not in (None, note.birth) or note.birth.split(":")[0] != _boot():
        return []
    processes = {process.pid: process for process in psutil.process_iter(["ppid", "status"])}
    members = {pid for pid in processes if _session(pid) == note.pid}
    while joined := {pid for pid, one in processes.items() if one.info["ppid"] in members} - members:
        members |= joined
    found = [processes[pid] for pid in members - {os.getpid()}]
    return [process for process in found if process.info["status"] != psutil.STATUS_ZOMBIE]


def birth(pid: int) -> str | None:
    """What tells this process from an earlier or later one of the same number; None: no such process."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return f"{_boot()}:{_ticks(pid) or process.create_time()}"
    except psutil.Error:
        return None


def _session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except (ProcessLookupError, PermissionError):
        return None


def _ticks(pid: int) -> str:
    """Linux counts from the boot, so that setting the clock changes nothing; empty elsewhere."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[19]
    except OSError:
        return ""


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return str(int(psutil.boot_time()) // 60)


def _note_path(settings: Settings, name: str) -> Path:
    return settings.home / "run" / f"{name}.json"


def _note(settings: Settings, name: str, process: subprocess.Popen[bytes], port: int | None) -> Running:
    note = Running(name, process.pid, birth(process.pid) or f"{_boot()}:gone", port)
    write_json(_note_path(settings, name), {"pid": note.pid, "birth": note.birth, "port": note.port})
    process.returncode = 0  # it outlives us: not ours to wait for, and no warning when the object goes
    return note


def _signal(processes: Iterable[psutil.Process], number: signal.Signals) -> set[psutil.Process]:
    signalled = set(processes)
    for process in signalled:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)
    return signalled


def _alive(processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    return [process for process in processes if process.is_running() and birth(process.pid) is not None]
