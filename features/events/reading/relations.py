"""Files as relations of text: which columns a file has, and the SQL that reads them all as text."""

from __future__ import annotations

import csv
import re
from codecs import BOM_UTF8
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from features.events.reading.packed import GZIP, PACK_ERRORS, PARQUET, ZSTD, opened
from features.events.reading.unreadable import READ_ERRORS, unreadable
from features.events.scratch import name, text
from features.events.sources.source import Source
from infra.errors import DeliveryError

_KINDS: Final = (".csv", ".jsonl", ".ndjson", ".json")
#: Endings of the names of files that can be read.
DATA_SUFFIXES: Final = (PARQUET, *(f"{kind}{packing}" for kind in _KINDS for packing in ("", GZIP, ZSTD)))
_DELIMITERS: Final = (",", ";", "\t", "|")
# a file under dt=…/ would get a column dt
_PLAIN: Final = "hive_partitioning = false"
_BLOCK: Final = 1 << 20
# a letter of several bytes in UTF-8, or a byte that is a letter in Windows-1252 only
_NOT_LATIN_1: Final = re.compile(rb"[\xc2-\xf4][\x80-\xbf]|[\x80-\x9f]")
_LINE: Final = 2_000_000  # bytes; as long as DuckDB lets a line be


@dataclass(frozen=True)
class TextFile:
    """A file of a delivery: its columns in order, and a query that gives them all as text, in this order."""

    path: Path
    columns: tuple[str, ...]
    query: str


def text_file(connection: duckdb.DuckDBPyConnection, path: Path, sources: Sequence[Source]) -> TextFile:
    """Look at a file's columns.

    Args:
        sources: where it may come from.

    Raises:
        DeliveryError: the file is empty, broken, or not what its name says.
    """
    lowered = path.name.lower()
    if not lowered.endswith(DATA_SUFFIXES):
        raise DeliveryError(f"{path} is no file of data.", f"Its name must end in {', '.join(DATA_SUFFIXES)}.")
    if path.stat().st_size == 0:
        raise DeliveryError(f"{path} is empty.", "Deliver it again.")
    if lowered.endswith(PARQUET):
        file = _parquet(path)
    elif lowered.removesuffix(GZIP).removesuffix(ZSTD).endswith(".csv"):
        file = _csv(path, sources)
    else:
        file = _json(connection, path)
    _require_once(file)
    return file


def _require_once(file: TextFile) -> None:
    lowered = [column.lower() for column in file.columns]
    twice = sorted({column for column in lowered if lowered.count(column) > 1})
    if twice:
        raise DeliveryError(f"{file.path} has a column twice: {', '.join(twice)}.", "Remove one of the two.")


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
    if pa.types.is_binary(field.type) or pa.types.is_large_binary(field.type):
        # some writers do not say that their texts are texts
        return f"coalesce(TRY(decode({column})), CAST({column} AS VARCHAR))"
    if pa.types.is_list(field.type) or pa.types.is_large_list(field.type):
        return f"CAST(to_json({column}) AS VARCHAR)"
    if not pa.types.is_floating(field.type):
        return f"CAST({column} AS VARCHAR)"
    whole = f"abs({column}) < 1e18 AND {column} = trunc({column})"
    return (
        f"CASE WHEN isnan({column}) THEN NULL WHEN {whole} THEN CAST(TRY_CAST({column} AS HUGEINT) AS VARCHAR) "
        f"ELSE CAST({column} AS VARCHAR) END"
    )


def _csv(path: Path, sources: Sequence[Source]) -> TextFile:
    first = _first_line(path)
    headerless = [source.headerless for source in sources if source.headerless]
    known = next((kind for kind in headerless if re.fullmatch(kind.first_line, first.strip())), None)
    delimiter = max(_DELIMITERS, key=first.count)
    try:
        names = known.columns if known else next(csv.reader([first], delimiter=delimiter), [])
    except csv.Error as error:
        raise unreadable(path, error) from error
    # pandas writes its index under no name
    columns = tuple(column or f"column_{place}" for place, column in enumerate(names))
    types = ", ".join(f"{text(column)}: 'VARCHAR'" for column in columns)
    latin = all(source.latin_1 for source in sources) and _is_latin_1(path)
    encoding = ", encoding = 'latin-1'" if latin else ""
    # a repeated column would be renamed silently; it is refused by name
    query = (
        f"SELECT * FROM read_csv({text(path)}, header = {str(not known).lower()}, delim = {text(delimiter)}, "
        f"quote = '\"', escape = '\"', auto_detect = false, columns = {{{types}}}, {_PLAIN}{encoding})"
    )
    return TextFile(path, columns, query)


def _is_latin_1(path: Path) -> bool:
    """Whether there are letters of Latin-1 in the file, and none of UTF-8 or Windows-1252."""
    found, last = False, b""
    try:
        with opened(path) as stream:
            while block := stream.read(_BLOCK):
                if _NOT_LATIN_1.search(last + block):
                    return False
                found, last = found or not block.isascii(), block[-1:]
    except PACK_ERRORS as error:
        raise unreadable(path, error) from error
    return found


def _first_line(path: Path) -> str:
    try:
        with opened(path) as stream:
            line = stream.readline(_LINE)
        if len(line) < _LINE:
            return line.decode("utf-8-sig")
    except (UnicodeDecodeError, *PACK_ERRORS) as error:
        raise unreadable(path, error) from error
    raise DeliveryError(f"{path} has a first line of more than {_LINE:,} bytes.", "Write one row a line.")


def _has_mark(path: Path) -> bool:
    try:
        with opened(path) as stream:
            return stream.read(len(BOM_UTF8)) == BOM_UTF8
    except PACK_ERRORS as error:
        raise unreadable(path, error) from error


def _json(connection: duckdb.DuckDBPyConnection, path: Path) -> TextFile:
    if _has_mark(path):
        raise DeliveryError(f"{path} begins with a byte order mark.", "Save it as UTF-8 without one.")
    try:
        keys = connection.execute(f"SELECT DISTINCT json_keys(json) FROM read_ndjson_objects({text(path)})").fetchall()
    except READ_ERRORS as error:
        raise unreadable(path, error) from error
    # rows differ in what they leave out; the fullest come first, for the sake of their order
    lists = sorted((row[0] or [] for row in keys), key=lambda names: (-len(names), names))
    columns = tuple(dict.fromkeys(column for names in lists for column in names))
    if "" in columns:
        raise DeliveryError(f"{path} has a value without a name.", "Name it, or leave it out.")
    if not columns:
        raise DeliveryError(f"{path} holds no JSON objects.", "Write one object a line, with a name for every value.")
    types = ", ".join(f"{text(column)}: 'VARCHAR'" for column in columns)
    query = f"SELECT * FROM read_json({text(path)}, format = 'newline_delimited', {_PLAIN}, columns = {{{types}}})"
    return TextFile(path, columns, query)
