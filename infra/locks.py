"""One process at a time, among those that share a home folder."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

from infra.settings import Settings


@contextmanager
def one_at_a_time(settings: Settings, what: str) -> Iterator[None]:
    """Let one process at a time do ``what`` in this home; the next one waits. A death lets go."""
    lock = settings.home / "run" / f"{what}.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
