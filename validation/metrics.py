"""Great Expectations' metrics, told to ``DuckDBEngine``: importing this module registers them.

Counts are asked for together, in one scan; the rows to show only where a count says that there are any.
An expectation whose metric is not here cannot be evaluated by the engine, and says so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import pandas as pd
from great_expectations.core.metric_function_types import MetricPartialFunctionTypes
from great_expectations.expectations import metrics as gx
from great_expectations.expectations.metrics.metric_provider import MetricProvider
from great_expectations.expectations.registry import register_metric
from great_expectations.validator.metric_configuration import MetricConfiguration

from validation.conditions import CONDITIONS, PAIRS, Condition, Kwargs, columns_of, compared, repeated
from validation.engine import DuckDBEngine

#: SQL condition of what is unexpected, of the engine, the metric's domain and its values.
Unexpected = Callable[[DuckDBEngine, Kwargs, Kwargs], str]

_COUNT: Final = "unexpected_count"
#: Values less different values: zero says that none is repeated, without looking for which.
_SURPLUS: Final = "surplus"
_AGGREGATE: Final = MetricPartialFunctionTypes.AGGREGATE_FN
_ASKED: Final = ("execution_engine", "metric_domain_kwargs", "metric_value_kwargs")


class _Later(MetricProvider):  # type: ignore[misc]
    """A metric that is asked for when a count is known, which mostly says enough."""

    @classmethod
    def _get_evaluation_dependencies(cls, metric: Any, *_: Any, **__: Any) -> dict[str, Any]:
        stem, _, asked = metric.metric_name.rpartition(".")
        first = _SURPLUS if asked == _COUNT else _COUNT
        value = {name: given for name, given in metric.metric_value_kwargs.items() if name != "result_format"}
        return {first: MetricConfiguration(f"{stem}.{first}", metric.metric_domain_kwargs, value)}


def _counted(name: str, keys: tuple[Any, Any], condition: Condition, aggregate: str = "count(*) {only}") -> None:
    """Register a number that is asked for together with all others; ``{only}`` are the rows that it counts."""

    def partial(
        execution_engine: DuckDBEngine, metric_domain_kwargs: Kwargs, metric_value_kwargs: Kwargs, **_: Any
    ) -> tuple[str, Kwargs, Kwargs]:
        looked_at = execution_engine.within(metric_domain_kwargs)
        only = f"FILTER (({condition(metric_domain_kwargs, metric_value_kwargs)}) AND ({looked_at}))"
        return aggregate.format(column=metric_domain_kwargs.get("column"), only=only), metric_domain_kwargs, {}

    register_metric(f"{name}.{_AGGREGATE.metric_suffix}", *keys, DuckDBEngine, MetricProvider, partial, _AGGREGATE)
    register_metric(name, *keys, DuckDBEngine, MetricProvider, None)


def _shown(metric: Any, unexpected: Unexpected) -> None:
    """Register what is shown of unexpected rows: their values and their places in the batch."""

    def values(**asked: Any) -> list[Any]:
        rows, columns = _sample(unexpected, asked), columns_of(asked["metric_domain_kwargs"])
        if rows is None:
            return []
        if len(columns) == 1:
            return list(rows[columns[0]])
        return list(zip(*(rows[column].values for column in columns), strict=True))

    def places(**asked: Any) -> list[int]:
        rows = _sample(unexpected, asked)
        return [] if rows is None else list(rows.index)

    def query(**_: Any) -> None:
        """Pandas' query would list every failing row."""

    keys = (metric.condition_domain_keys, (*metric.condition_value_keys, "result_format"))
    for name, function in (("values", values), ("index_list", places), ("index_query", query)):
        register_metric(f"{metric.condition_metric_name}.unexpected_{name}", *keys, DuckDBEngine, _Later, function)


def _sample(unexpected: Unexpected, asked: Kwargs) -> pd.DataFrame | None:
    if not asked["metrics"][_COUNT]:
        return None
    engine, domain, value = (asked[name] for name in _ASKED)
    return engine.sample(domain, unexpected(engine, domain, value), value["result_format"])


def _register_condition(metric: Any, condition: Condition) -> None:
    stem, keys = metric.condition_metric_name, (metric.condition_domain_keys, metric.condition_value_keys)
    _counted(f"{stem}.{_COUNT}", keys, condition)
    _shown(metric, lambda _, domain, value: condition(domain, value))
    if metric in PAIRS:
        _counted(f"{stem}.filtered_row_count", (keys[0], (*keys[1], "result_format")), compared)


def _register_unique() -> None:
    """Values that are there more than once: looked for only if there are fewer values than rows."""

    def unexpected(engine: DuckDBEngine, domain: Kwargs, _: Kwargs) -> str:
        return repeated(engine.relation(domain).name, engine.within(domain), domain["column"])

    def count(metrics: Kwargs, execution_engine: DuckDBEngine, metric_domain_kwargs: Kwargs, **_: Any) -> int:
        domain = metric_domain_kwargs
        return execution_engine.count(domain, unexpected(execution_engine, domain, {})) if metrics[_SURPLUS] else 0

    metric = gx.ColumnValuesUnique
    stem, keys = metric.condition_metric_name, (metric.condition_domain_keys, metric.condition_value_keys)
    surplus = "count({column}) {only} - count(DISTINCT {column}) {only}"
    _counted(f"{stem}.{_SURPLUS}", keys, lambda *_: "true", surplus)
    register_metric(f"{stem}.{_COUNT}", *keys, DuckDBEngine, _Later, count)
    _shown(metric, unexpected)


for _metric, _condition in CONDITIONS.items():
    _register_condition(_metric, _condition)
_register_unique()
_counted("table.row_count", (gx.TableRowCount.domain_keys, gx.TableRowCount.value_keys), lambda *_: "true")
