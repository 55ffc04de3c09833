"""A disk that is full while a snapshot is written: words that help, and no half of one."""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from infra.errors import MachineError
from infra.settings import Settings
from training.snapshot import ITEMS, META, MOMENTS, Snapshot


@contextmanager
def files_up_to(largest: int) -> Iterator[None]:
    """No file of this process may grow longer: what it is written to is full then."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("full_at", [MOMENTS, ITEMS, META])
def test_a_snapshot_that_does_not_fit_is_said_and_none_is_there(
    tmp_path: Path,
    make_settings: Callable[..., Settings],
    snapshot_of: Callable[..., Snapshot],
    habit_log: Any,
    monkeypatch: pytest.MonkeyPatch,
    full_at: str,
) -> None:
    """The first of its files, a later one, or the last: with room again it is what it would have been."""
    settings, log = make_settings(tmp_path / "home", sequence_length=12), habit_log(4, 20)
    real = Path.write_bytes

    def filling(path: Path, content: bytes) -> int:
        with files_up_to(10 if path.name == full_at else resource.RLIM_INFINITY):
            return real(path, content)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", filling)
        if full_at == META:
            patched.setattr("training.snapshot.write_json", lambda path, _: filling(path, b"longer than ten bytes"))
        with pytest.raises(MachineError, match=r"The lake at .* cannot be written: .*File too large.*Make room"):
            snapshot_of(settings, log)
    folder = settings.lake.snapshot("any").parent
    assert list(folder.iterdir()) == []
    made = snapshot_of(settings, log)
    assert [path.name for path in folder.iterdir()] == [made.path.name]
    assert made.moments.num_rows > 0
