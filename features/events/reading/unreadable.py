"""What a reader said about a file, as an error that names file, row and column, and how to mend it."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO, Any, Final

import duckdb

from infra.errors import DeliveryError, MachineError

#: What DuckDB raises over a file; anything else is a fault of ours.
READ_ERRORS: Final = (
    duckdb.InvalidInputException,
    duckdb.ConversionException,
    duckdb.IOException,
    duckdb.OutOfMemoryException,
)
_UTF8: Final = "Save the file as UTF-8."
_AGAIN: Final = "The file is damaged or cut off: deliver it again."
# a piece of what was said -> what to do; the first that fits
_MENDS: Final = {
    "unicode": _UTF8,
    "utf-8": _UTF8,
    "not a gzipped file": "Name it without .gz if it is not compressed; if it is, something follows its end.",
    "compressed file ended": "The GZIP file is cut off: deliver it again.",
    "gzip": _AGAIN,
    "zstd": "The ZSTD file is damaged or cut off: deliver it again, or name it without .zst if it is not compressed.",
    "crc": _AGAIN,
    "unterminated quote": "Close the quote, or double a quote inside a quoted field.",
    "number of columns": "Give every row as many fields as the header has.",
    "invalid state": "End all lines alike, with \\n or \\r\\n, and quote fields that hold quotes or line ends.",
    "maximum line size": "Cut the line: no row of a log is longer than 2 MB.",
    "maximum_object_size": "Cut the line: no row of a log is longer than 16 MB.",
}


def unreadable(path: Path, error: Exception, stream: Callable[[Path], IO[bytes]] | None = None) -> Exception:
    """Say in which file, row and column reading failed, and what to do.

    Args:
        stream: opens the file's content, so that the column of a wrong encoding can be found.

    Returns:
        DeliveryError, or MachineError where memory or disk ran out.
    """
    said = str(error).split("\nPossible ")[0].split("\nLINE ")[0].strip()
    if isinstance(error, duckdb.OutOfMemoryException) or "No space left" in said:
        return MachineError(
            f"{path} could not be taken: {said}", "Free memory or disk, or raise the setting ingest_memory."
        )
    said = " ".join(said.split()).split(" Try ")[0]  # settings of DuckDB's, which nobody can set here
    # DuckDB counts a broken line of JSON as the one after it
    said = re.sub(
        r"(?<=Malformed JSON in file )(.*) in line (\d+)", lambda at: f"{at[1]} in line {int(at[2]) - 1}", said
    )
    mend = next((mend for key, mend in _MENDS.items() if key in said.lower()), "Mend the file and deliver it again.")
    # for a wrong encoding DuckDB names the line only
    misread = stream is not None and "unicode" in said.lower() and "Line: " in said
    where = _column(stream(path), int(said.split("Line: ")[1].split()[0])) if stream and misread else ""
    return DeliveryError(f"{path} cannot be read: {said}{where}", mend)


def _column(stream: IO[bytes], number: int) -> str:
    """The columns of line ``number`` that are not UTF-8."""
    with stream:
        header, line = _line(stream, 1), _line(stream, number - 1)
    # latin-1 reads any byte, so that the fields can be told apart
    rows: list[list[str]] = list(csv.reader([header.decode("latin-1"), line.decode("latin-1")]))
    wrong = _not_utf8(zip(rows[0], rows[-1], strict=False))
    return f" Column: {', '.join(wrong)}." if wrong else ""


def _line(stream: Any, count: int) -> bytes:
    """The ``count``-th line from here."""
    line = b""
    for _ in range(count):
        line = stream.readline()
    return line


def _not_utf8(cells: Iterable[tuple[str, str]]) -> list[str]:
    wrong = []
    for column, value in cells:
        try:
            value.encode("latin-1").decode("utf-8")
        except UnicodeDecodeError:
            wrong.append(column)
    return wrong
