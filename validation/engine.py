"""An engine of Great Expectations' that asks DuckDB: one scan counts for all expectations of a suite.

Expectations, results and data docs stay Great Expectations' own; they only get their metrics from
elsewhere. What a metric counts, as SQL, is said in ``validation.metrics``; here it is asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, cast

import duckdb
import pandas as pd
import pyarrow as pa
from great_expectations.core.batch import BatchData
from great_expectations.execution_engine import ExecutionEngine
from great_expectations.expectations.row_conditions import (
    AndCondition,
    ComparisonCondition,
    NullityCondition,
    Operator,
    OrCondition,
    deserialize_row_condition,
)

from features.events.rule import listed
from validation.conditions import columns_of

#: Place of a row in the batch, from 0: the index that pandas would give it.
ROW: Final = "row_in_batch"


class Relation(BatchData):  # type: ignore[misc]
    """A table or view of a DuckDB that stays open while it is looked at."""

    def __init__(self, engine: DuckDBEngine, connection: duckdb.DuckDBPyConnection, name: str) -> None:
        super().__init__(execution_engine=engine)
        self.connection = connection
        self.name = name


class DuckDBEngine(ExecutionEngine):  # type: ignore[misc]
    """Counts with DuckDB; holds no rows but the few that are shown."""

    def get_batch_data_and_markers(self, batch_spec: Any) -> Any:
        """Not how a relation is loaded: its asset hands it over."""
        raise NotImplementedError(f"A relation is loaded by its asset, not from {batch_spec}.")

    def relation(self, domain: dict[str, Any]) -> Relation:
        """The relation that a metric is about."""
        return cast("Relation", self.batch_manager.batch_data_cache[domain["batch_id"]])

    def within(self, domain: dict[str, Any]) -> str:
        """SQL condition of the rows that a metric is about: true where it is about all."""
        condition = domain.get("row_condition")
        if not condition:
            return "true"
        return str(
            self.condition_to_filter_clause(
                deserialize_row_condition(condition) if isinstance(condition, dict) else condition
            )
        )

    def resolve_metric_bundle(self, metric_fn_bundle: Sequence[Any]) -> dict[Any, Any]:
        """Ask for all counts at once; the metrics' functions are aggregates in SQL."""
        if not metric_fn_bundle:
            return {}
        wanted = [one.metric_configuration for one in metric_fn_bundle]
        relation = self.relation(wanted[0].metric_domain_kwargs)
        counts = ", ".join(one.metric_fn for one in metric_fn_bundle)
        [row] = relation.connection.execute(f"SELECT {counts} FROM {relation.name}").fetchall()
        return {metric.id: value for metric, value in zip(wanted, row, strict=True)}

    def count(self, domain: dict[str, Any], failing: str) -> int:
        """How many rows there are for which ``failing`` holds."""
        relation = self.relation(domain)
        where = f"({failing}) AND ({self.within(domain)})"
        [[found]] = relation.connection.execute(f"SELECT count(*) FROM {relation.name} WHERE {where}").fetchall()
        return int(found)

    def sample(self, domain: dict[str, Any], failing: str, result_format: dict[str, Any]) -> pd.DataFrame:
        """The first rows for which ``failing`` holds, with their places in the batch as the index."""
        relation, limit = self.relation(domain), result_format["partial_unexpected_count"]
        found = relation.connection.sql(f"""
            SELECT {", ".join(columns_of(domain))}, {ROW}
            FROM (SELECT *, row_number() OVER () - 1 AS {ROW} FROM {relation.name})
            WHERE ({failing}) AND ({self.within(domain)}) ORDER BY {ROW} LIMIT {limit}
        """).to_arrow_table()
        return frame(found).set_index(ROW)

    def _comparison_condition_to_filter_clause(self, condition: ComparisonCondition) -> str:
        column, values = condition.column.name, condition.parameter
        if condition.operator == Operator.IN:
            return f"{column} IN ({listed(values)})"
        if condition.operator == Operator.NOT_IN:
            # to pandas a null is in no list
            return f"({column} NOT IN ({listed(values)}) OR {column} IS NULL)"
        raise NotImplementedError(f"Rows are picked by IN and NOT IN; {condition.operator} is not translated.")

    def _nullity_condition_to_filter_clause(self, condition: NullityCondition) -> str:
        return f"{condition.column.name} IS {'' if condition.is_null else 'NOT '}NULL"

    def _and_condition_to_filter_clause(self, condition: AndCondition) -> str:
        return " AND ".join(f"({self.condition_to_filter_clause(part)})" for part in condition.conditions)

    def _or_condition_to_filter_clause(self, condition: OrCondition) -> str:
        return " OR ".join(f"({self.condition_to_filter_clause(part)})" for part in condition.conditions)


def frame(rows: pa.Table) -> pd.DataFrame:
    """As pandas: numbers keep their nulls apart, so that no id or amount passes through a float."""
    return rows.to_pandas(types_mapper={pa.int64(): pd.Int64Dtype(), pa.float64(): pd.Float64Dtype()}.get)
