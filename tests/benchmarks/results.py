"""What every benchmark gives: entries of one form, which ``make bench`` keeps in ``docs/benchmarks.json``."""

from __future__ import annotations

import json
import os
import platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

#: Units of which more is better; of the others (ms, s, MiB, times) it is less.
RATES = ("events/s", "rows/s")


@dataclass(frozen=True)
class Result:
    """One measurement of ours, beside that of a peer where there is one.

    Attributes:
        benchmark: which one measured it (``windows`` is ``windows_speed.py``).
        name: says what was done; no other entry of any benchmark has it.
        ours: in ``unit``, as is ``peer``; None: there is no peer.
        against: what the peer is, and on which data if these are not the same; empty without one.
        wanted: what the project asks for; empty: nothing was said.
        data: what it was measured on.
        also: what else was measured on the way: names, with their units in them, and numbers.
        versions: of the packages that did the work.
    """

    benchmark: str
    name: str
    ours: float
    unit: str
    data: str
    peer: float | None = None
    against: str = ""
    wanted: str = ""
    also: dict[str, float] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    machine: str = ""

    @property
    def ratio(self) -> float | None:
        """How many times better than the peer; None without one."""
        if self.peer is None:
            return None
        better, worse = (self.ours, self.peer) if self.unit in RATES else (self.peer, self.ours)
        return three_digits(better / worse)

    def told(self) -> dict[str, Any]:
        """As an entry of the file."""
        return {**asdict(self), "ratio": self.ratio}

    @classmethod
    def read(cls, entry: Mapping[str, Any]) -> Self:
        """From an entry of the file; its ratio follows from the others."""
        return cls(**{name: value for name, value in entry.items() if name != "ratio"})


def result(
    benchmark: str, name: str, ours: float, unit: str, data: str, packages: Sequence[str], **more: Any
) -> Result:
    """A result of here and now: with the versions of ``packages`` and this machine, in three digits."""
    rounded = {key: value and three_digits(value) if key == "peer" else value for key, value in more.items()}
    versions = {"python": platform.python_version(), **{package: version(package) for package in packages}}
    return Result(benchmark, name, three_digits(ours), unit, data, versions=versions, machine=this_machine(), **rounded)


def say(results: Sequence[Result]) -> None:
    """Print them as JSON, for a person or for ``make bench``."""
    print(json.dumps([one.told() for one in results], indent=2))


def three_digits(value: float) -> float:
    """``value`` as far as a measurement means anything; whole where it is large."""
    rounded = float(f"{value:.3g}")
    return int(rounded) if rounded.is_integer() else rounded


def this_machine() -> str:
    """Processor, cores that this process may use, memory, and operating system."""
    information = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    model = re.search(r"model name\s*: (.*)", information)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cores = len(os.sched_getaffinity(0))
    return f"{model[1] if model else platform.machine()}, {cores} cores, {memory:.0f} GiB, {platform.system()}"
