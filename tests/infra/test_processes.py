"""Background processes: started, known again, ended with all that they started."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator

import psutil
import pytest

from infra.lake import read_json, write_json
from infra.processes import LOG_LIMIT, birth, end_processes, family, log_path, noted, running, start_process
from infra.settings import Settings

SLEEP = "import time; time.sleep(60)"
# a child in a group of its own, as Airflow's tasks are, and one in a session of its own
PARENT = f"""
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", {SLEEP!r}], process_group=0)
subprocess.Popen([sys.executable, "-c", {SLEEP!r}], start_new_session=True)
print("ready", flush=True)
time.sleep(60)
"""
STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
time.sleep(60)
"""


@pytest.fixture
def home(settings: Settings) -> Iterator[Settings]:
    settings.home.mkdir()
    yield settings
    end_processes(settings, ["part"], grace=0)


def _start(settings: Settings, code: str) -> None:
    start_process(settings, "part", [sys.executable, "-c", code], {**os.environ, "SECRET_OF_TEST": "hidden"})


def _wait_for(settings: Settings, word: str) -> None:
    deadline = time.monotonic() + 20
    while word not in log_path(settings, "part").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_process_is_known_by_its_note(home: Settings) -> None:
    _start(home, SLEEP)
    found = running(home, "part")
    assert found is not None
    assert found.alive
    assert os.getsid(found.pid) == found.pid
    assert end_processes(home, ["part"]) == ["part"]
    assert running(home, "part") is None
    assert noted(home, "part") is None


def test_it_ends_with_all_that_it_started(home: Settings) -> None:
    _start(home, PARENT)
    _wait_for(home, "ready")
    note = noted(home, "part")
    assert note is not None
    members = family(note)
    assert len(members) == 3
    end_processes(home, ["part"])
    assert not [one for one in members if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]


def test_children_of_a_leader_that_died_are_ended_too(home: Settings) -> None:
    _start(home, PARENT)
    _wait_for(home, "ready")
    note = noted(home, "part")
    assert note is not None
    os.kill(note.pid, signal.SIGKILL)
    while note.alive:
        time.sleep(0.01)
    assert [one.pid for one in family(note)] != []
    end_processes(home, ["part"])
    assert family(note) == []


def test_one_that_ignores_the_first_signal_gets_the_second(home: Settings) -> None:
    _start(home, STUBBORN)
    _wait_for(home, "ready")
    assert end_processes(home, ["part"], grace=0.2) == ["part"]
    assert running(home, "part") is None


@pytest.mark.parametrize("other", ["another boot:1", "{boot}:1"])
def test_a_recycled_number_is_not_ours(home: Settings, other: str) -> None:
    boot = str(birth(os.getpid())).split(":")[0]
    write_json(home.home / "run" / "part.json", {"pid": os.getpid(), "birth": other.format(boot=boot), "port": None})
    note = noted(home, "part")
    assert note is not None
    assert running(home, "part") is None
    assert family(note) == []
    assert end_processes(home, ["part"]) == []


def test_the_note_holds_no_environment(home: Settings) -> None:
    _start(home, SLEEP)
    assert set(read_json(home.home / "run" / "part.json")) == {"pid", "birth", "port"}
    assert "hidden" not in (home.home / "run" / "part.json").read_text()


def test_a_long_log_moves_aside(home: Settings) -> None:
    log = log_path(home, "part")
    log.parent.mkdir()
    with log.open("wb") as file:
        file.truncate(LOG_LIMIT + 1)
    _start(home, "print('ready', flush=True)")
    _wait_for(home, "ready")
    assert log.stat().st_size < 100
    assert log.with_suffix(".log.1").stat().st_size == LOG_LIMIT + 1
