"""Every row of every file of one kind, as text, in one table: the columns of all files side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from features.events.reading.matching import SPELLINGS
from features.events.reading.packed import opened
from features.events.reading.parsed import FILE
from features.events.reading.relations import TextFile
from features.events.reading.unreadable import READ_ERRORS, unreadable
from features.events.scratch import name
from infra.errors import DeliveryError

#: Rows of the same file that came before; the row's own place is ``rowid``, since rows are loaded in order.
FIRST = "first_of_file"


@dataclass(frozen=True)
class Loaded:
    """A table of text.

    Attributes:
        table: its name.
        cells: column of the files -> column of the table.
        files: the files, by their place in the delivery.
    """

    table: str
    cells: dict[str, str]
    files: dict[int, TextFile]

    def rows(self) -> str:
        """SQL for the cleaned cells of every row, under the names in ``cells``, with file and place."""
        cleaned = "".join(f", clean({cell}) AS {cell}" for cell in self.cells.values())
        return f"SELECT {FILE}, {FIRST}, rowid AS place{cleaned} FROM {self.table}"

    def originals(self) -> str:
        """SQL for a row as it was read, as JSON with the columns of its own file."""
        kinds: dict[tuple[str, ...], list[int]] = {}
        for number, file in self.files.items():
            kinds.setdefault(file.columns, []).append(number)
        cases = [
            f"WHEN {FILE} IN ({', '.join(map(str, numbers))}) THEN {self._json(columns)}"
            for columns, numbers in kinds.items()
        ]
        return f"CASE {' '.join(cases)} END" if cases else "''"

    def _json(self, columns: Sequence[str]) -> str:
        struct = ", ".join(f"{name(column)}: {self.table}.{self.cells[column]}" for column in columns)
        return f"CAST(to_json({{{struct}}}) AS VARCHAR)"


class Cells(dict[str, str]):
    """What the places ``{…}`` in a source's SQL stand for (``features.events.sources.source``)."""

    def __init__(self, loaded: Loaded) -> None:
        super().__init__(loaded.cells)
        self._files = loaded.files

    def __missing__(self, key: str) -> str:
        names = key.removeprefix("?").split(SPELLINGS)
        if key.startswith("?"):
            having = [str(number) for number, file in self._files.items() if set(names) & set(file.columns)]
            return f"{FILE} IN ({', '.join(having)})" if having else "false"
        found = [self[column] for column in names if column in self]
        return f"coalesce({', '.join(found)})" if found else "CAST(NULL AS VARCHAR)"


def load(
    connection: duckdb.DuckDBPyConnection, table: str, files: Sequence[tuple[int, TextFile]], empty: str
) -> Loaded:
    """Make ``table`` of the files.

    Args:
        files: with their places in the delivery.
        empty: what to do about a file without rows.

    Raises:
        DeliveryError: a file cannot be read to its end, or has no rows.
    """
    columns = list(dict.fromkeys(column for _, file in files for column in file.columns))
    cells = {column: f"cell_{place}" for place, column in enumerate(columns)}
    declared = "".join(f", {cell} VARCHAR" for cell in cells.values())
    connection.execute(f"CREATE TABLE {table} ({FILE} INTEGER, {FIRST} BIGINT{declared})")
    total = 0
    for number, file in files:
        rows = _insert(connection, table, number, total, file, cells)
        if rows == 0:
            raise DeliveryError(f"{file.path} has no rows.", empty)
        total += rows
    return Loaded(table, cells, dict(files))


def _insert(
    connection: duckdb.DuckDBPyConnection, table: str, number: int, first: int, file: TextFile, cells: dict[str, str]
) -> int:
    names = ", ".join((FILE, FIRST, *(cells[column] for column in file.columns)))
    columns = "".join(f", {name(column)}" for column in file.columns)
    try:
        insert = f"INSERT INTO {table} ({names}) SELECT {number}, {first}{columns} FROM ({file.query})"
        return int(connection.execute(insert).fetchall()[0][0])
    except duckdb.Error as error:
        # the bare class is what a damaged Parquet page gives
        if isinstance(error, READ_ERRORS) or type(error) is duckdb.Error:
            raise unreadable(file.path, error, opened) from error
        raise
