"""Parquet files in and out: read as tables of a connection, written sorted, one a day, with equal bytes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Final

import ibis
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from features.engine import DAY, Column, Connection, Table, batches, table_of
from features.whole import whole
from infra.lake import written_aside

_FOLDER: Final = "dt"
#: Days of one build that are written at the same time; bounds memory.
_WRITERS: Final = 2


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
    leaves = {_leaf(field): _value_type(field) for field in content.schema}
    whole_numbers = [leaf for leaf, kind in leaves.items() if pa.types.is_integer(kind)]
    with written_aside(path) as aside:
        # a third of the time that dictionaries and zstd take is saved, mostly with smaller files
        pq.write_table(
            content,
            aside,
            compression="lz4",
            write_statistics=False,  # nobody reads a part of a day
            use_dictionary=[leaf for leaf in leaves if leaf not in whole_numbers],
            column_encoding=dict.fromkeys(whole_numbers, "DELTA_BINARY_PACKED"),
        )


def _leaf(field: pa.Field) -> str:
    """The path of a column's values in the file."""
    return f"{field.name}.list.element" if pa.types.is_list(field.type) else field.name


def _value_type(field: pa.Field) -> pa.DataType:
    return field.type.value_type if pa.types.is_list(field.type) else field.type


def write_days(
    connection: Connection,
    expression: Table,
    schema: pa.Schema,
    days: Iterable[date],
    path_of: Callable[[date], Path],
    order: Sequence[str],
    only_with_rows: Container[date] = (),
) -> int:
    """Write the rows of ``expression`` into one file per day, empty ones too, and count them.

    Args:
        expression: the columns of ``schema`` and ``day``; days outside ``days`` must not occur.
        order: columns that order the rows of a day without ties, so that a re-run gives equal bytes.
        only_with_rows: days that get no file without rows.
    """

    def write_empty(day: date) -> None:
        if day in only_with_rows:
            path_of(day).unlink(missing_ok=True)
        else:
            write_table(schema.empty_table(), path_of(day))

    waiting = iter(days)
    rows = 0
    with _writing() as write:
        for day, pieces in _by_day(batches(connection, expression.order_by(DAY, *order))):
            for empty in iter(waiting.__next__, day):
                write_empty(empty)
            write(pieces, schema, path_of(day))
            rows += sum(piece.num_rows for piece in pieces)
    for empty in waiting:
        write_empty(empty)
    return rows


@contextmanager
def _writing() -> Iterator[Callable[..., None]]:
    """Write a table beside whatever goes on: the first waits while two are written. All are when the block ends."""
    with ThreadPoolExecutor(_WRITERS) as pool:
        running: deque[Future[None]] = deque()

        def write(pieces: list[pa.Table], schema: pa.Schema, path: Path) -> None:
            if len(running) == _WRITERS:
                running.popleft().result()
            running.append(pool.submit(lambda: write_table(_joined(pieces, schema), path)))

        yield write
        for written in running:
            written.result()


def _by_day(stream: Iterable[pa.RecordBatch]) -> Iterator[tuple[date, list[pa.Table]]]:
    """Cut a stream that is sorted by day into the pieces of each day."""
    current: date | None = None
    pieces: list[pa.Table] = []
    for day, piece in _pieces(stream):
        if pieces and day != current:
            yield current or day, pieces
            pieces = []
        current = day
        pieces.append(piece)
    if current is not None:
        yield current, pieces


def _pieces(stream: Iterable[pa.RecordBatch]) -> Iterator[tuple[date, pa.Table]]:
    for batch in stream:
        days = batch.column(DAY)
        numbers = np.asarray(days.cast(pa.int32()))
        cuts = [0, *(np.flatnonzero(np.diff(numbers)) + 1).tolist(), len(numbers)]
        for start, end in pairwise(cuts):
            if end > start:
                yield days[start].as_py(), pa.Table.from_batches([batch.slice(start, end - start)])


def _joined(pieces: list[pa.Table], schema: pa.Schema) -> pa.Table:
    # one chunk, whatever batches the rows came in: the bytes of the file depend on the chunks
    return pa.concat_tables(pieces).select(schema.names).cast(schema).combine_chunks()
