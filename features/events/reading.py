"""Files as relations of text: which columns a file has, and the SQL that reads them all as text."""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from features.events.scratch import name, text
from infra.errors import DeliveryError, MachineError

# a file under dt=…/ would get a column dt
_PLAIN: Final = "hive_partitioning = false"
#: Endings of the names of files that can be read.
DATA_SUFFIXES: Final = (".parquet", ".csv", ".csv.gz", ".jsonl", ".jsonl.gz", ".ndjson", ".ndjson.gz")
_DELIMITERS: Final = (",", ";", "\t", "|")
#: What DuckDB raises over a file; anything else is a fault of ours.
READ_ERRORS: Final = (
    duckdb.InvalidInputException,
    duckdb.ConversionException,
    duckdb.IOException,
    duckdb.OutOfMemoryException,
)


@dataclass(frozen=True)
class TextFile:
    """A file of a delivery: its columns in order, and a query that gives them all as text."""

    path: Path
    columns: tuple[str, ...]
    query: str


def text_file(connection: duckdb.DuckDBPyConnection, path: Path) -> TextFile:
    """Look at a file's columns.

    Raises:
        DeliveryError: the file is empty, broken, or not what its name says.
    """
    if not path.name.lower().endswith(DATA_SUFFIXES):
        raise DeliveryError(f"{path} is no file of data.", f"Its name must end in {', '.join(DATA_SUFFIXES)}.")
    if path.stat().st_size == 0:
        raise DeliveryError(f"{path} is empty.", "Deliver it again.")
    kind = path.name.lower().removesuffix(".gz").rsplit(".", 1)[-1]
    readers = {"parquet": _parquet, "csv": _csv}
    return readers[kind](path) if kind in readers else _json(connection, path)


def require(file: TextFile, columns: Sequence[str]) -> None:
    """Insist on columns.

    Raises:
        DeliveryError: one is missing or there twice; the message names those found.
    """
    found = ", ".join(file.columns)
    missing = [column for column in columns if column not in file.columns]
    if missing:
        raise DeliveryError(
            f"{file.path} has no column {', '.join(missing)}; found: {found}.",
            "Rename the file's columns, or name the source that it comes from.",
        )
    lowered = [column.lower() for column in file.columns]
    twice = sorted({column for column in lowered if lowered.count(column) > 1})
    if twice:
        raise DeliveryError(f"{file.path} has a column twice: {', '.join(twice)}.", "Remove one of the two.")


def unreadable(path: Path, error: Exception) -> DeliveryError | MachineError:
    """Say in which file, row and column reading failed, and what to do."""
    said = str(error).split("\nPossible ")[0].split("\nLINE ")[0].strip()
    if isinstance(error, duckdb.OutOfMemoryException) or "No space left" in said:
        return MachineError(f"{path} could not be taken: {said}", "Free memory or disk, or change memory_limit.")
    said = " ".join(said.split())
    mends = {
        "unicode": "Save the file as UTF-8.",
        "utf-8": "Save the file as UTF-8.",
        "not a gzipped file": "Name it without .gz if it is not compressed.",
        "gzip": "The file is cut off or damaged: deliver it again.",
        "crc": "The file is damaged: deliver it again.",
        "compressed file ended": "The GZIP file is cut off: deliver it again.",
        "unterminated quote": "Close the quote, or double a quote inside a quoted field.",
        "number of columns": "Give every row as many fields as the header has.",
    }
    mend = next((mend for key, mend in mends.items() if key in said.lower()), "Mend the file and deliver it again.")
    return DeliveryError(f"{path} cannot be read: {said}{_where(path, said)}", mend)


def _parquet(path: Path) -> TextFile:
    try:
        schema = pq.read_schema(path)
    except (pa.ArrowException, OSError) as error:
        raise DeliveryError(f"{path} is not a Parquet file: {error}.", "Deliver it again as Parquet.") from error
    if "" in schema.names:
        raise DeliveryError(f"{path} has a column without a name.", "Name it, or leave it out.")
    texts = ", ".join(f"{_as_text(field)} AS {name(field.name)}" for field in schema)
    return TextFile(path, tuple(schema.names), f"SELECT {texts} FROM read_parquet({text(path)}, {_PLAIN})")


def _as_text(field: pa.Field) -> str:
    """The column as text: NaN is how pandas says null, and a large whole number is not written as 1e+16."""
    column = name(field.name)
    if not pa.types.is_floating(field.type):
        return f"CAST({column} AS VARCHAR)"
    whole = f"abs({column}) < 1e18 AND {column} = trunc({column})"
    return (
        f"CASE WHEN isnan({column}) THEN NULL WHEN {whole} THEN CAST(TRY_CAST({column} AS HUGEINT) AS VARCHAR) "
        f"ELSE CAST({column} AS VARCHAR) END"
    )


def _csv(path: Path) -> TextFile:
    try:
        with _opened(path) as stream:
            header = stream.readline().decode("utf-8-sig")
            delimiter = max(_DELIMITERS, key=header.count)
            names = next(csv.reader([header], delimiter=delimiter), [])
    except (UnicodeDecodeError, OSError, EOFError, zlib.error, csv.Error) as error:
        raise unreadable(path, error) from error
    # pandas writes its index under no name
    columns = tuple(column or f"column_{place}" for place, column in enumerate(names))
    types = ", ".join(f"{text(column)}: 'VARCHAR'" for column in columns)
    # a repeated column would be renamed silently; require() refuses it by name
    query = (
        f"SELECT * FROM read_csv({text(path)}, header = true, delim = {text(delimiter)}, quote = '\"', escape = '\"', "
        f"auto_detect = false, columns = {{{types}}}, {_PLAIN})"
    )
    return TextFile(path, columns, query)


def _json(connection: duckdb.DuckDBPyConnection, path: Path) -> TextFile:
    lines = f"read_json({text(path)}, format = 'newline_delimited', {_PLAIN}"
    try:
        described = connection.execute(f"DESCRIBE SELECT * FROM {lines}, sample_size = -1)").fetchall()
    except READ_ERRORS as error:
        raise unreadable(path, error) from error
    columns = tuple(row[0] for row in described)
    types = ", ".join(f"{text(column)}: 'VARCHAR'" for column in columns)
    return TextFile(path, columns, f"SELECT * FROM {lines}, columns = {{{types}}})")


def _opened(path: Path) -> IO[bytes] | gzip.GzipFile:
    return gzip.open(path) if path.name.lower().endswith(".gz") else path.open("rb")


def _where(path: Path, said: str) -> str:
    """For a wrong encoding, the column: DuckDB names the line only."""
    if "unicode" not in said.lower() or "Line: " not in said:
        return ""
    number = int(said.split("Line: ")[1].split()[0])
    with _opened(path) as stream:
        header, line = stream.readline(), b""
        for _ in range(number - 1):
            line = stream.readline()
    # latin-1 reads any byte, so that the fields can be told apart
    rows = list(csv.reader([header.decode("latin-1"), line.decode("latin-1")]))
    names, fields = rows[0], rows[-1]
    wrong = [column for column, value in zip(names, fields, strict=False) if not _is_utf8(value)]
    return f" Column: {', '.join(wrong)}." if wrong else ""


def _is_utf8(value: str) -> bool:
    try:
        value.encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
