"""What made a run: the code's commit and the packages' versions."""

from __future__ import annotations

import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Final

#: Packages whose version may change what a model learns or how it loads.
PACKAGES: Final = ("tensorflow", "keras", "numpy", "pyarrow", "duckdb", "feast", "mlflow")
UNKNOWN_COMMIT: Final = "unknown"


def git_commit(folder: Path) -> str:
    """The commit checked out in ``folder``, with ``-dirty`` where files differ; ``unknown`` outside of git."""
    commit = _git(folder, "rev-parse", "HEAD")
    if commit is None:
        return UNKNOWN_COMMIT
    return f"{commit}-dirty" if _git(folder, "status", "--porcelain") else commit


def package_versions() -> dict[str, str]:
    """The installed version of each of ``PACKAGES``."""
    return {name: version(name) for name in PACKAGES}


def _git(folder: Path, *arguments: str) -> str | None:
    """What git says; None when there is no git, or ``folder`` is in no work tree."""
    try:
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
