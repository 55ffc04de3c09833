"""The rows of an expression in one Parquet file a day, sorted, with equal bytes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa

from features.engine import DAY, Connection, Table, batches
from features.files import write_table
from features.row_groups import GroupedFile, grouped

#: Groups that are written at the same time; bounds memory.
_WRITERS: Final = 2

Write = Callable[[Path, list[pa.Table], bool], None]


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
    current, rows = None, 0
    with _writing(schema) as write:
        for day, pieces, last in grouped(_pieces(batches(connection, expression.order_by(DAY, *order)))):
            if day != current:
                for empty in iter(waiting.__next__, day):
                    write_empty(empty)
            write(path_of(day), pieces, last)
            current = day
            rows += sum(piece.num_rows for piece in pieces)
    for empty in waiting:
        write_empty(empty)
    return rows


@contextmanager
def _writing(schema: pa.Schema) -> Iterator[Write]:
    """Write groups beside whatever goes on, those of a file one after the other. All are when the block ends."""
    running: deque[Future[None]] = deque()
    unfinished: list[GroupedFile] = []

    def write(path: Path, pieces: list[pa.Table], last: bool) -> None:
        before = running[-1] if unfinished else None
        if len(running) == _WRITERS:
            running.popleft().result()
        file = unfinished.pop() if unfinished else GroupedFile(path, schema)
        if not last:
            unfinished.append(file)
        running.append(pool.submit(_after, before, file, pieces, last))

    with ThreadPoolExecutor(_WRITERS) as pool:
        try:
            yield write
            for written in running:
                written.result()
        except BaseException:
            wait(running)
            for file in unfinished:
                file.abandon()
            raise


def _after(before: Future[None] | None, file: GroupedFile, pieces: list[pa.Table], last: bool) -> None:
    if before is not None:
        before.result()
    file.write(pieces, last)


def _pieces(stream: Iterable[pa.RecordBatch]) -> Iterator[tuple[date, pa.Table]]:
    """Cut a stream that is sorted by day into pieces of one day each."""
    for batch in stream:
        days = batch.column(DAY)
        numbers = np.asarray(days.cast(pa.int32()))
        cuts = [0, *(np.flatnonzero(np.diff(numbers)) + 1).tolist(), len(numbers)]
        for start, end in pairwise(cuts):
            if end > start:
                yield days[start].as_py(), pa.Table.from_batches([batch.slice(start, end - start)])
