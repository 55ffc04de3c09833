"""Parquet files in and out: read as tables of a connection, written with equal bytes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

import ibis
import pyarrow as pa

from features.engine import DAY, Column, Connection, Table, table_of
from features.row_groups import write_groups
from features.whole import whole

_FOLDER: Final = "dt"


def read_files(connection: Connection, files: Iterable[Path], schema: pa.Schema) -> Table:
    """Parquet files as one table with the columns of ``schema``; no files are an empty table.

    Raises:
        LakeError: a file is gone, not whole, or lacks columns.
    """
    paths = whole(files, schema)
    if not paths:
        return table_of(connection, schema.empty_table())
    return _columns(connection.read_parquet(paths, hive_partitioning=False), schema)


def read_days(connection: Connection, files: Iterable[Path], schema: pa.Schema) -> Table:
    """``read_files`` of files below folders ``dt=D``, with a column ``day``: the shop's day, whatever its time zone."""
    paths = whole(files, schema)
    if not paths:
        return table_of(connection, schema.append(pa.field(DAY, pa.date32())).empty_table())
    table = connection.read_parquet(paths, hive_partitioning=True, union_by_name=True)
    return _columns(table, schema, **{DAY: table[_FOLDER].cast("date")})


def _columns(table: Table, schema: pa.Schema, **more: Column) -> Table:
    """The columns of ``schema``; one that no file has is null."""
    lacking = {name: ibis.null("string") for name in schema.names if name not in table.columns}
    return table.mutate(**lacking).select(*schema.names, **more) if lacking else table.select(*schema.names, **more)


def write_table(content: pa.Table, path: Path) -> None:
    """Write aside and rename: equal content gives equal bytes."""
    write_groups([content], content.schema, path)
