"""Feature transformations run on Ibis: the same expressions on DuckDB, embedded, or on Spark.

The setting ``engine`` says on which. Everything that differs is in ``features/engines``. Tables that come
from Python are registered (``table_of``), never memtables, so that an expression can be streamed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from importlib.util import find_spec
from typing import Any, Final

import ibis
import pyarrow as pa

from features.engines import duckdb
from infra.errors import MachineError
from infra.settings import Settings

#: The shop's day of a row; part of a file's name, not of its content.
DAY: Final = "day"

# Ibis ships no types: a backend, a table and a column are Any to the checker.
Connection = Any
Table = Any
Column = Any


def connect(settings: Settings) -> AbstractContextManager[Connection]:
    """A connection of the engine that the settings name, its own and for as long as the block lasts.

    Raises:
        MachineError, ServiceError, SettingsError: Spark is wanted and cannot be had; nothing was read or written.
    """
    if settings.engine == "duckdb":
        return embedded(settings)
    require_spark(settings)
    from features.engines.spark import connected

    return connected(settings)


def require_spark(settings: Settings) -> None:
    """Hold that Spark is installed where the settings name it.

    Raises:
        MachineError: it is not.
    """
    if settings.engine == "spark" and find_spec("pyspark") is None:
        raise MachineError(
            "The setting engine is spark, and pyspark is not installed.",
            "Install it with 'uv sync --extra spark', or set engine (PENCHANT_ENGINE) to duckdb.",
        )


def embedded(settings: Settings) -> AbstractContextManager[Connection]:
    """A DuckDB of its own, whatever the engine: for what is no feature transformation."""
    return duckdb.connected(settings)


@contextmanager
def default_engine(settings: Settings) -> Iterator[Connection]:
    """``connect``, and Ibis' default for as long: Feast on DuckDB takes that one, which else knows no limits.

    Feast on Spark takes the Spark that runs.
    """
    before = ibis.options.default_backend
    with connect(settings) as connection:
        ibis.set_backend(connection)
        try:
            yield connection
        finally:
            ibis.options.default_backend = before


def table_of(connection: Connection, content: pa.Table) -> Table:
    """``content`` as a table of the connection, under a name of its own."""
    return connection.taken(content)


def stored(connection: Connection, expression: Table) -> Table:
    """Compute ``expression`` once, into a table of the connection."""
    return connection.kept(expression)


def batches(connection: Connection, expression: Table) -> Iterator[pa.RecordBatch]:
    """Stream the rows of ``expression``, in its order; it must not hold memtables."""
    yield from connection.streamed(expression)


def retrieved(connection: Connection, asked: pa.Table, retrieve: Callable[[Any], Any]) -> pa.Table:
    """The rows of a historical retrieval of Feast on the engine of ``connection``, in any order.

    Args:
        asked: entities and moments.
        retrieve: makes Feast's job from them, as Feast takes them.
    """
    found: pa.Table = connection.retrieved(retrieve(connection.asked(asked)))
    return found


@ibis.udf.scalar.builtin(  # type: ignore[untyped-decorator] # Ibis ships no types
    signature=((ibis.dtype("timestamp('UTC')"),), ibis.dtype("int64"))
)
def unix_micros(moment: Column) -> Column:
    """A function of Spark's, which DuckDB is given: Ibis' own way takes longer than reading the events does."""


def micros(moment: Column) -> Column:
    """Microseconds since 1970 UTC of a column of moments, exactly."""
    return unix_micros(moment)
