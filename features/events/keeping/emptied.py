"""Refused rows that had their time: their file stays, without rows, so that whoever reads it finds one."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq

from infra.lake import written_aside


def is_empty(path: Path) -> bool:
    return bool(pq.read_metadata(path).num_rows == 0)


def empty(path: Path) -> None:
    """Take the rows out of a Parquet file; columns and types stay."""
    with written_aside(path) as aside:
        pq.write_table(pq.read_schema(path).empty_table(), aside, compression="zstd")
