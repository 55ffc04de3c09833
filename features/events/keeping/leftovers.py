"""What killed processes left behind, and files that were replaced: nobody reads either.

Their ages are those of the file system: a process that was killed had no time to note the shop's.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Final

import psutil

from features.events.keeping.removal import touched
from features.events.log import present
from infra.lake import Lake

#: Written aside (``infra.lake.written_aside``), with the number of the process.
_ASIDE: Final = re.compile(r"\..+\.(\d+)")
#: A folder of ``spill``, with the number of the process.
_SPILL: Final = re.compile(r"(\d+)\..+")
#: A delivery's id, as the name of a file (``features.events.delivery.delivery_id``).
_DELIVERY: Final = re.compile(r".+-\d{8}-[0-9a-f]{16}\.parquet")


def leftovers(lake: Lake, before: float) -> list[Path]:
    """Files and folders that no living process works on any more.

    What was being written aside, what did not fit into memory, staging folders that were never published,
    and what a delivery says of items and refused rows while it has no manifest.

    Args:
        before: the moment, seconds since 1970 UTC, since when nobody has touched them.
    """
    found = [path for path in _asides(lake.root) if _orphan(path, _ASIDE, before)]
    found += [path for path in _inside(lake.spill) if _orphan(path, _SPILL, before)]
    return found + [path for path in (*_inside(lake.stagings), *_unpublished(lake)) if touched(path) < before]


def replaced(lake: Lake, day: date, before: float) -> list[Path]:
    """Files of events of ``day`` that hold nothing: merged into another, or of a publishing that was cut short.

    Whoever listed a file before its day's partition was written last may read it still; a delivery that is
    staged may yet be published.
    """
    folder, holding = lake.events_day(day), set(present(lake, day).files)
    unread = [path for path in sorted(folder.glob("*.parquet")) if path not in holding]
    marker = lake.partition(day)
    since = touched(marker) if unread and marker.exists() else 0.0
    return [path for path in unread if max(touched(path), since) < before and not lake.staging(path.stem).exists()]


def _asides(root: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(root):
        asides = [name for name in (*folders, *files) if _ASIDE.fullmatch(name)]
        yield from (Path(folder) / name for name in sorted(asides))
        folders[:] = sorted(name for name in folders if name not in asides)


def _inside(folder: Path) -> list[Path]:
    """What lies in a folder, but for what is being written aside."""
    found = folder.iterdir() if folder.is_dir() else ()
    return sorted(path for path in found if not _ASIDE.fullmatch(path.name))


def _unpublished(lake: Lake) -> list[Path]:
    """Moved into the lake by a publishing that was cut short before the manifest, and is no longer staged."""
    moved = [path for name in ("items", "quarantine") for path in _inside(lake.root / name)]
    named = [path for path in moved if _DELIVERY.fullmatch(path.name)]
    return [path for path in named if not lake.manifest(path.stem).exists() and not lake.staging(path.stem).exists()]


def _orphan(path: Path, pattern: re.Pattern[str], before: float) -> bool:
    last = touched(path)
    number = pattern.fullmatch(path.name)
    return last < before and not (number and _writes(int(number[1]), last))


def _writes(number: int, moment: float) -> bool:
    """Whether the process of that number ran at ``moment`` and still does; a later one of the number is another."""
    try:
        return psutil.Process(number).create_time() <= moment
    except psutil.NoSuchProcess:
        return False
