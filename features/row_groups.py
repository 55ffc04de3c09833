"""Parquet files written group by group, so that what is held does not grow with their rows.

Groups are cut at the same rows however these came: equal rows give equal bytes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from infra.lake import written_aside

#: Rows of a group. A row of sequences or of windows takes about a thousand bytes.
GROUP_ROWS: Final = 50_000

Key = TypeVar("Key")


class GroupedFile:
    """A file that is there once its last group is written; until then there is what was there before."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._path, self._schema = path, schema
        self._open = ExitStack()
        self._writer: pq.ParquetWriter | None = None

    def write(self, pieces: Sequence[pa.Table], last: bool) -> None:
        """Write the rows of ``pieces`` (columns of the schema, in any order) as a group. After an error nothing
        remains of the file.
        """
        try:
            self._opened().write_table(_joined(pieces, self._schema))
            if last:
                self._open.close()
        except BaseException:
            self.abandon()
            raise

    def abandon(self) -> None:
        """While an error is handled: leave what was there before."""
        self._open.__exit__(*sys.exc_info())

    def _opened(self) -> pq.ParquetWriter:
        if self._writer is None:
            aside = self._open.enter_context(written_aside(self._path))
            self._writer = self._open.enter_context(pq.ParquetWriter(aside, self._schema, **_options(self._schema)))
        return self._writer


def write_groups(pieces: Iterable[pa.Table], schema: pa.Schema, path: Path) -> None:
    """Write the rows of ``pieces`` into one file."""
    file = GroupedFile(path, schema)
    try:
        none = True
        for _key, group, last in grouped((None, piece) for piece in pieces):
            file.write(group, last)
            none = False
        if none:
            file.write([schema.empty_table()], last=True)
    except BaseException:
        file.abandon()
        raise


def grouped(pieces: Iterable[tuple[Key, pa.Table]]) -> Iterator[tuple[Key, list[pa.Table], bool]]:
    """Pieces with keys, in groups of one key and ``GROUP_ROWS`` rows; and whether a group is the last of its key.

    Pieces of a key must follow each other.
    """
    held: list[pa.Table] = []
    rows, current = 0, None
    for key, piece in pieces:
        if held and key != current:
            yield current, held, True  # type: ignore[misc] # what is held has a key
            held, rows = [], 0
        current, start = key, 0
        while start < piece.num_rows:
            if rows == GROUP_ROWS:
                yield key, held, False
                held, rows = [], 0
            held.append(piece.slice(start, GROUP_ROWS - rows))
            rows += held[-1].num_rows
            start += held[-1].num_rows
    if held:
        yield current, held, True  # type: ignore[misc]


def _joined(pieces: Sequence[pa.Table], schema: pa.Schema) -> pa.Table:
    # one chunk, whatever pieces the rows came in: the bytes of the file depend on the chunks
    return pa.concat_tables(pieces).select(schema.names).cast(schema).combine_chunks()


def _options(schema: pa.Schema) -> dict[str, Any]:
    leaves = {_leaf(field): _value_type(field) for field in schema}
    whole_numbers = [leaf for leaf, kind in leaves.items() if pa.types.is_integer(kind)]
    # a third of the time that dictionaries and zstd take is saved, mostly with smaller files
    return {
        "compression": "lz4",
        "write_statistics": False,  # nobody reads a part of a day
        "use_dictionary": [leaf for leaf in leaves if leaf not in whole_numbers],
        "column_encoding": dict.fromkeys(whole_numbers, "DELTA_BINARY_PACKED"),
    }


def _leaf(field: pa.Field) -> str:
    """The path of a column's values in the file."""
    return f"{field.name}.list.element" if pa.types.is_list(field.type) else field.name


def _value_type(field: pa.Field) -> pa.DataType:
    return field.type.value_type if pa.types.is_list(field.type) else field.type
