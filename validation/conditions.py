"""What Great Expectations' row-level metrics find unexpected, as SQL over the columns of a relation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from great_expectations.expectations import metrics as gx

from features.events.rule import not_among, outside, unlike

#: What a metric is about (columns, rows), and what it compares with.
Kwargs = dict[str, Any]
Condition = Callable[[Kwargs, Kwargs], str]


def columns_of(domain: Kwargs) -> list[str]:
    """The column or the two columns that a metric is about."""
    return [domain["column"]] if "column" in domain else [domain["column_A"], domain["column_B"]]


def compared(domain: Kwargs, _: Kwargs) -> str:
    """SQL condition of the pairs that are compared: those without a null."""
    if domain.get("ignore_row_if") != "either_value_is_missing":
        raise NotImplementedError("Of pairs only whole ones are compared: ignore_row_if='either_value_is_missing'.")
    return f"{domain['column_A']} IS NOT NULL AND {domain['column_B']} IS NOT NULL"


def repeated(relation: str, within: str, column: str) -> str:
    """SQL condition of values that are there more than once among the rows ``within``."""
    return f"{column} IN (SELECT {column} FROM {relation} WHERE {within} GROUP BY ALL HAVING count(*) > 1)"


def _bounds(value: Kwargs) -> tuple[Any, Any]:
    if value.get("strict_min") or value.get("strict_max"):
        raise NotImplementedError("Strict bounds are not translated.")
    return value.get("min_value"), value.get("max_value")


def _pair(domain: Kwargs, broken: str) -> str:
    return f"{compared(domain, {})} AND {domain['column_A']} {broken} {domain['column_B']}"


#: By Great Expectations' metric, of its domain and its values.
CONDITIONS: Final[Mapping[Any, Condition]] = {
    gx.ColumnValuesNonNull: lambda domain, _: f"{domain['column']} IS NULL",
    gx.ColumnValuesInSet: lambda domain, value: not_among(domain["column"], value["value_set"]),
    gx.ColumnValuesMatchRegex: lambda domain, value: unlike(domain["column"], value["regex"]),
    gx.ColumnValuesBetween: lambda domain, value: outside(domain["column"], *_bounds(value)),
    gx.ColumnValuesValueLength: lambda domain, value: outside(f"length({domain['column']})", *_bounds(value)),
    gx.ColumnPairValuesEqual: lambda domain, _: _pair(domain, "<>"),
    gx.ColumnPairValuesAGreaterThanB: lambda domain, value: _pair(domain, "<" if value.get("or_equal") else "<="),
}
PAIRS: Final = (gx.ColumnPairValuesEqual, gx.ColumnPairValuesAGreaterThanB)
