"""Folders for what does not fit into memory, and for what is only needed while it is worked on."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.settings import Settings


@contextmanager
def spilling(settings: Settings) -> Iterator[Path]:
    """A folder of this process's own under the lake, named after it, and gone afterwards."""
    settings.lake.spill.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"{os.getpid()}.", dir=settings.lake.spill) as folder:
        yield Path(folder)
