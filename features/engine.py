"""Feature transformations run on Ibis: DuckDB embedded here, the same expressions on Spark when outgrown.

Two traps of ibis 12 on DuckDB 2: ``to_pyarrow_batches`` and ``sql`` call methods that DuckDB no longer
has, and the session time zone cannot be given on connecting (Ibis sets UTC itself). Tables that come
from Python are registered (``table_of``), never memtables, so that an expression can be streamed.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import ibis
import pyarrow as pa

from infra.settings import Settings
from infra.spill import spilling

#: The shop's day of a row; part of a file's name, not of its content.
DAY: Final = "day"
_BATCH_ROWS: Final = 50_000

# Ibis ships no types: a backend, a table and a column are Any to the checker.
Connection = Any
Table = Any
Column = Any


@contextmanager
def connect(settings: Settings) -> Iterator[Connection]:
    """A DuckDB of its own, in memory, within ``memory_limit`` and ``threads``; it spills under the lake."""
    # Ibis 12 calls a method that DuckDB 2 has renamed
    warnings.filterwarnings("ignore", "fetch_arrow_table", DeprecationWarning)
    # DuckDB's spill files have fixed names: each connection needs a folder of its own
    with spilling(settings) as spill:
        connection = ibis.duckdb.connect(
            memory_limit=settings.memory_limit, threads=settings.threads, temp_directory=str(spill)
        )
        try:
            yield connection
        finally:
            connection.disconnect()


@contextmanager
def default_engine(settings: Settings) -> Iterator[Connection]:
    """``connect``, and Ibis' default for as long: Feast takes that one, which else knows no limits."""
    before = ibis.options.default_backend
    with connect(settings) as connection:
        ibis.set_backend(connection)
        try:
            yield connection
        finally:
            ibis.options.default_backend = before


def table_of(connection: Connection, content: pa.Table) -> Table:
    """``content`` as a table of the connection, under a name of its own."""
    return stored(connection, ibis.memtable(content))


def stored(connection: Connection, expression: Table) -> Table:
    """Compute ``expression`` once, into a table of the connection."""
    return connection.create_table(ibis.util.gen_name("penchant"), expression, temp=True)


def batches(connection: Connection, expression: Table) -> Iterator[pa.RecordBatch]:
    """Stream the rows of ``expression``; it must not hold memtables."""
    yield from connection.con.sql(connection.compile(expression)).to_arrow_reader(_BATCH_ROWS)


def micros(moment: Column) -> Column:
    """Microseconds since 1970 UTC of a timestamp column, exactly."""
    return moment.truncate("s").epoch_seconds().cast("int64") * 1_000_000 + moment.microsecond().cast("int64")
