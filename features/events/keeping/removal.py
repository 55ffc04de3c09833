"""Taking away what nobody needs any more: counted, bounded, and a folder at once."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Removed:
    """What went, or would go in a dry run; ``waiting`` are beyond the bound, for the next run."""

    files: int = 0
    bytes: int = 0
    waiting: int = 0


def take_away(paths: Sequence[Path], most: int, *, dry_run: bool, how: Callable[[Path], None] | None = None) -> Removed:
    """Remove the first ``most`` of ``paths``, files or folders, and say what that frees.

    Args:
        how: called with each instead of removing it.
    """
    going = paths[:most]
    weight = sum(weight_of(path) for path in going)
    if not dry_run:
        for path in going:
            (how or remove)(path)
    return Removed(len(going), weight, len(paths) - len(going))


def remove(path: Path) -> None:
    """Remove a file, or a folder: under its own name it is gone at once, however long its files take."""
    if not path.is_dir():
        path.unlink()
        return
    if not path.name.startswith("."):
        path = path.replace(path.with_name(f".{path.name}.{os.getpid()}"))
    shutil.rmtree(path)


def weight_of(path: Path) -> int:
    """Bytes of a file, or of all files below a folder."""
    return sum(one.stat().st_size for one in (path.rglob("*") if path.is_dir() else [path]) if one.is_file())


def touched(path: Path) -> float:
    """When a file, or anything in a folder, was written last; seconds since 1970 UTC by the file system."""
    try:
        return max(one.stat().st_mtime for one in [path, *(path.rglob("*") if path.is_dir() else [])])
    except FileNotFoundError:
        return math.inf  # somebody is at work in it
