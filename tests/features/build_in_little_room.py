"""Builds the features of a home, or says what was wrong and that the lake is as it was: for ``test_full_disk``."""

from __future__ import annotations

import json
import resource
import sys
from datetime import date
from pathlib import Path

from features.build import build
from infra.errors import PenchantError
from infra.partitions import Span
from infra.settings import load_settings


def contents(root: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def main(home: str, start: str, end: str, memory: str, largest: int) -> None:
    """``largest``: bytes that a file may have from now on; 0: as many as the disk holds."""
    settings = load_settings(
        Path(home), window_days=(1, 3), half_life_days=(7,), memory_limit=memory, threads=1, sequence_length=5
    )
    before = contents(settings.lake.root)
    if largest:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
    try:
        build(settings, Span(date.fromisoformat(start), date.fromisoformat(end)))
        said = None
    except PenchantError as error:
        said = [type(error).__name__, str(error)]
    print(json.dumps({"said": said, "same": contents(settings.lake.root) == before}))


if __name__ == "__main__":
    main(*sys.argv[1:5], int(sys.argv[5]))
