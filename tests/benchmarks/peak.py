"""The most memory that a program has had."""

from __future__ import annotations

import re
from pathlib import Path


def peak_mib(process: int | str = "self") -> int:
    """Peak of resident memory in MiB; ``getrusage`` would say that of the program that started this one, if larger."""
    found = re.search(r"VmHWM:\s*(\d+) kB", Path(f"/proc/{process}/status").read_text())
    assert found is not None
    return int(found[1]) // 1024
