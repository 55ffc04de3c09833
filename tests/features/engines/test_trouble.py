"""Errors of DuckDB, Ibis, Arrow and the disk reach nobody as they are."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from ibis.common.exceptions import IbisTypeError

from features.engine import connect, default_engine
from features.engines.trouble import explained
from infra.errors import FeatureError, LakeError, MachineError, PenchantError
from infra.settings import Settings

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (FULL, MachineError, r"lake at .* cannot be written: \[Errno 28\] No space left on device\. Make room"),
        (PermissionError(errno.EACCES, "Permission denied"), MachineError, "Permission denied.*mend its rights"),
        (OSError("Corrupt snappy compressed data"), LakeError, r"cannot be read: Corrupt snappy .*from a copy"),
        (FileNotFoundError(errno.ENOENT, "gone"), LakeError, "cannot be read"),
        (pa.ArrowInvalid("no magic bytes"), LakeError, "no magic bytes"),
        (IbisTypeError("Column 'x' is not found in table"), LakeError, "Column 'x' is not found"),
        (duckdb.IOException('Could not write file "a.tmp": File too large'), MachineError, "File too large"),
        (
            duckdb.OutOfMemoryException("failed to pin block"),
            MachineError,
            "2GB of memory are not enough.*memory_limit",
        ),
        # as they are while rows are streamed: Arrow's, with DuckDB's words
        (OSError("Out of Memory Error: failed to allocate data"), MachineError, "2GB of memory are not enough"),
        (pa.ArrowInvalid("IO Error: Could not write file: No space left on device"), MachineError, "cannot be written"),
        (
            duckdb.InvalidInputException("too small to be a file\n\nLINE 1"),
            LakeError,
            r"too small to be a file\. Bring",
        ),
    ],
)
def test_each_says_what_where_and_how_to_mend_it(
    settings: Settings, error: Exception, kind: type[PenchantError], said: str
) -> None:
    with pytest.raises(kind, match=said) as raised, explained(settings):
        raise error
    assert raised.value.__cause__ is error
    assert raised.value.mend


@pytest.mark.parametrize("error", [ConnectionResetError(), TimeoutError(), FeatureError("no", "yes"), KeyError("x")])
def test_what_is_none_of_theirs_passes(settings: Settings, error: Exception) -> None:
    with pytest.raises(type(error)) as raised, explained(settings):
        raise error
    assert raised.value is error


@pytest.mark.parametrize("engine", [connect, default_engine])
def test_whoever_uses_an_engine_gets_ours(settings: Settings, tmp_path: Path, engine: type) -> None:
    (tmp_path / "x.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(LakeError, match=r"x\.parquet"), engine(settings) as connection:
        connection.read_parquet([str(tmp_path / "x.parquet")])
