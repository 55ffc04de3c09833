"""Ibis on a DuckDB of its own, embedded and in memory, that spills under the lake.

Two traps of ibis 12 on DuckDB 2: ``to_pyarrow_batches`` and ``sql`` call methods that DuckDB no longer
has, and the session time zone cannot be given on connecting (Ibis sets UTC itself).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import ibis
import pyarrow as pa
from ibis.backends.duckdb import Backend
from ibis.expr.operations import DatabaseTable

from features.engines.trouble import explained
from infra.settings import Settings
from infra.spill import spilling

_BATCH_ROWS: Final = 50_000


class DuckDB(Backend):  # type: ignore[misc] # Ibis ships no types
    """Ibis' DuckDB, and what ``features.engine`` asks of an engine."""

    def compile(self, expression: Any, /, **options: Any) -> str:
        """Selects in selects: DuckDB makes one of them faster than Ibis does."""
        before = ibis.options.sql.fuse_selects
        ibis.options.sql.fuse_selects = False
        try:
            return str(super().compile(expression, **options))
        finally:
            ibis.options.sql.fuse_selects = before

    def taken(self, content: pa.Table) -> Any:
        return self.kept(ibis.memtable(content))

    def kept(self, expression: Any) -> Any:
        """As ``create_table``, which also asks DuckDB for what the expression says of its columns."""
        name, schema = ibis.util.gen_name("penchant"), expression.schema()
        columns = ", ".join(column.sql(self.dialect) for column in schema.to_sqlglot_column_defs(self.dialect))
        self._run_pre_execute_hooks(expression)
        self.con.execute(f'CREATE TEMP TABLE "{name}" ({columns})')
        self.con.execute(f'INSERT INTO "{name}" {self.compile(expression)}')
        return DatabaseTable(name=name, schema=schema, source=self).to_expr()

    def streamed(self, expression: Any) -> Iterator[pa.RecordBatch]:
        yield from self.con.sql(self.compile(expression)).to_arrow_reader(_BATCH_ROWS)

    def asked(self, content: pa.Table) -> Any:
        return content.to_pandas()

    def retrieved(self, job: Any) -> pa.Table:
        return job.to_arrow()


@contextmanager
def connected(settings: Settings) -> Iterator[DuckDB]:
    """A DuckDB within ``memory_limit`` and ``threads``; what goes wrong inside is explained."""
    # Ibis 12 calls a method that DuckDB 2 has renamed
    warnings.filterwarnings("ignore", "fetch_arrow_table", DeprecationWarning)
    # DuckDB's spill files have fixed names: each connection needs a folder of its own
    with explained(settings), spilling(settings) as spill:
        connection = DuckDB().connect(
            memory_limit=settings.memory_limit,
            threads=settings.threads,
            temp_directory=str(spill),
            preserve_insertion_order=False,  # whoever wants an order says so
        )
        connection.con.execute("CREATE TEMP MACRO unix_micros(moment) AS epoch_us(moment)")
        try:
            yield connection
        finally:
            connection.disconnect()
