"""Ibis on Spark. Tables that are computed once, and rows that are handed out, go through Parquet files.

So nothing has to fit into the driver or into Python: Spark writes below the lake's spill folder, which
its executors must reach as they reach the lake, and Python reads file after file.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import ibis
import pyarrow as pa
import pyarrow.parquet as pq
from ibis.backends.pyspark import Backend
from ibis.formats.pyarrow import PyArrowData, PyArrowSchema

from features.engines.spark_session import running
from features.engines.spark_sql import SparkCompiler
from features.engines.trouble import explained
from infra.settings import Settings
from infra.spill import spilling

_BATCH_ROWS: Final = 50_000
_BY_ARROW: Final = {
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    "spark.sql.execution.arrow.pyspark.fallback.enabled": "false",
}
_MOMENT: Final = ibis.dtype("timestamp('UTC')")


class Spark(Backend):  # type: ignore[misc] # Ibis ships no types
    """Ibis' Spark, and what ``features.engine`` asks of an engine."""

    compiler = SparkCompiler()

    def do_connect(self, session: Any, spill: Path) -> None:
        self.register_options()
        super().do_connect(session)
        self._spill = spill

    def taken(self, content: pa.Table) -> Any:
        path = self._spill / f"{ibis.util.gen_name('penchant')}.parquet"
        pq.write_table(content, path)
        return self.read_parquet([str(path)])

    def kept(self, expression: Any) -> Any:
        return self._read(self._session.read, [str(self._written(expression))])

    def streamed(self, expression: Any) -> Iterator[pa.RecordBatch]:
        folder = self._written(expression)
        for path in sorted(folder.glob("part-*.parquet")):
            yield from pq.ParquetFile(path).iter_batches(_BATCH_ROWS)
        shutil.rmtree(folder)

    def asked(self, content: pa.Table) -> Any:
        """A frame of pandas: of one of Spark's own Feast would read the moments in this machine's time zone."""
        for name, value in _BY_ARROW.items():  # else Python would have to run on every node
            self._session.conf.set(name, value)
        return content.to_pandas()

    def retrieved(self, job: Any) -> pa.Table:
        """Feast itself would go through pandas, which makes floats of integers with nulls."""
        folder = self._spill / ibis.util.gen_name("penchant")
        job.to_spark_df().write.parquet(_uri(folder))
        return pq.read_table(folder)

    def read_parquet(
        self, paths: Sequence[str], /, *, hive_partitioning: bool = False, union_by_name: bool = False
    ) -> Any:
        """As DuckDB's: files by name, with a column for every ``name=value`` folder if that is asked for."""
        reader = self._session.read.option("mergeSchema", union_by_name)
        if hive_partitioning:
            reader = reader.option("basePath", _uri(Path(paths[0]).parents[1]))
        return self._read(reader, paths)

    def get_schema(self, *args: Any, **kwargs: Any) -> Any:
        """Spark's timestamps are moments, which Ibis does not say."""
        found = super().get_schema(*args, **kwargs)
        return ibis.schema({name: _MOMENT if kind.is_timestamp() else kind for name, kind in found.items()})

    def to_pyarrow(self, expression: Any, /, **_options: Any) -> Any:
        """Without pandas in between, which makes floats of integers with nulls."""
        table = expression.as_table()
        schema = PyArrowSchema.from_ibis(table.schema())
        content = pa.Table.from_batches([batch.cast(schema) for batch in self.streamed(table)], schema)
        return expression.__pyarrow_result__(PyArrowData.convert_table(content, table.schema()))

    def execute(self, expression: Any, /, **_options: Any) -> Any:
        return expression.__pandas_result__(self.to_pyarrow(expression.as_table()).to_pandas())

    def _read(self, reader: Any, paths: Sequence[str]) -> Any:
        frame = reader.option("__globPaths__", "false").parquet(*map(_uri, paths))
        name = ibis.util.gen_name("penchant")
        frame.createTempView(name)
        return self.table(name)

    def _written(self, expression: Any) -> Path:
        folder: Path = self._spill / ibis.util.gen_name("penchant")
        self._session.sql(self.compile(expression)).write.parquet(_uri(folder))
        return folder


@contextmanager
def connected(settings: Settings) -> Iterator[Spark]:
    """A Spark of its own on ``spark_master``, ended together with its Java."""
    with explained(settings), spilling(settings) as spill, running(settings, spill) as session:
        yield Spark().connect(session, spill)


def _uri(path: str | Path) -> str:
    """A path of this machine's file system, whatever Spark's default one is."""
    return f"file:{path}"
