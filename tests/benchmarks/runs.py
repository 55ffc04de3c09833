"""How a benchmark takes its options and makes its runs, each in a process of its own.

A benchmark names its sizes (``tiny`` for the tests, ``normal``, and ``large`` where that differs): each is a number
for every option. ``python tests/benchmarks/windows_speed.py --size tiny --users 50`` takes one with one number changed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from peak import peak_mib

PROJECT = Path(__file__).resolve().parents[2]
if str(PROJECT) not in sys.path:  # a script finds what lies beside it, not the project
    sys.path.insert(0, str(PROJECT))

Sizes = Mapping[str, Mapping[str, int]]
Run = Callable[[Path, argparse.Namespace], dict[str, Any]]


def options_of(description: str, sizes: Sizes) -> argparse.Namespace:
    """What was asked for on the command line, with every number of the size."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=("tiny", "normal", "large"), default="normal")
    for name in sizes["normal"]:
        parser.add_argument(f"--{name}", type=int)
    parser.add_argument("--home", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--only", help=argparse.SUPPRESS)
    options = parser.parse_args()
    for name, number in {**sizes["normal"], **sizes.get(options.size, {})}.items():
        if getattr(options, name) is None:
            setattr(options, name, number)
    return options


def made(options: argparse.Namespace, runs: Mapping[str, Run]) -> bool:
    """Make the one run for which this process was started, if it was started for one."""
    if not options.only:
        return False
    answer = runs[options.only](options.home, options)
    print(json.dumps({**answer, "peak_mib": peak_mib()}))
    return True


def alone(script: str, run: str, home: Path, options: argparse.Namespace, **changed: int) -> dict[str, Any]:
    """Make one run in a process of its own; its answer and the peak of its resident memory, ``peak_mib``."""
    given = {**vars(options), **changed, "home": home, "only": run}
    parts = [f"--{name}={value}" for name, value in given.items() if value is not None]
    done = subprocess.run([sys.executable, script, *parts], check=True, stdout=subprocess.PIPE, text=True, cwd=PROJECT)
    return dict(json.loads(done.stdout.splitlines()[-1]))  # others may print before


@contextmanager
def folder() -> Iterator[Path]:
    """A folder that is gone afterwards; servers of another account may enter it."""
    with tempfile.TemporaryDirectory(prefix="penchant-bench-") as path:
        Path(path).chmod(0o755)
        yield Path(path)


@contextmanager
def stopwatch() -> Iterator[dict[str, float]]:
    """Fills in ``seconds`` and ``cpu_seconds`` (of this process) at the end of the block."""
    taken: dict[str, float] = {}
    started, cpu = time.perf_counter(), time.process_time()
    yield taken
    taken["seconds"] = round(time.perf_counter() - started, 3)
    taken["cpu_seconds"] = round(time.process_time() - cpu, 3)
