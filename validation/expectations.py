"""Great Expectations: suites run against relations and frames, and leave data docs.

The context lives in memory; only data docs are written, and only when asked. Importing this module
loads Great Expectations (seconds), so only the gate does.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import reduce
from math import isfinite
from pathlib import Path
from typing import Any, Final

import duckdb
import pandas as pd
import pyarrow as pa

from features.events.rule import Rule
from features.events.schema import EVENT_TYPE
from infra.lake import written_aside
from validation.rules import BATCH
from validation.suites import Suite

with warnings.catch_warnings():
    # it imports sre_constants, which Python 3.11 deprecates
    warnings.simplefilter("ignore", DeprecationWarning)
    import great_expectations as gx
    from great_expectations import expectations
    from great_expectations.expectations.row_conditions import Column

    from validation import relation  # noqa: F401 (registers add_relations)
    from validation.context import context, site
    from validation.engine import frame

_RULE: Final = "rule"
#: How much of a result is kept; the rows to show are few.
FORMAT: Final = {"result_format": "SUMMARY", "partial_unexpected_count": 5, "return_unexpected_index_query": False}


@dataclass(frozen=True)
class Outcome:
    """What Great Expectations found for one rule of a suite.

    Attributes:
        failing: rows that break it; None for a rule about the whole.
        rows: rows that it was asked of; None for a rule about the whole.
    """

    suite: Suite
    rule: Rule
    success: bool
    observed: Any
    failing: int | None
    rows: int | None


@dataclass
class Suites:
    """Suites run one after another in a context of their own, whose results the data docs show."""

    context: Any = field(default_factory=context)

    def count(self, suite: Suite, about: str, connection: duckdb.DuckDBPyConnection) -> list[Outcome]:
        """Validate the relation ``batch`` of a DuckDB, which does the counting.

        Args:
            about: what is judged, for the data docs; with the suite's name it is used once.

        Returns:
            An outcome a rule, in the rules' order.

        Raises:
            RuntimeError: an expectation could not be evaluated.
        """
        source = self.context.data_sources.add_relations(_label(suite, about))
        batch = source.add(BATCH, connection).add_batch_definition(BATCH)
        return self._run(suite, about, batch)

    def look(self, suite: Suite, about: str, rows: pa.Table) -> list[Outcome]:
        """Validate a table of a few rows with pandas, otherwise like ``count``."""
        asset = self.context.data_sources.add_pandas(_label(suite, about)).add_dataframe_asset(suite.name)
        batch = asset.add_batch_definition_whole_dataframe(suite.name)
        return self._run(suite, about, batch, {"dataframe": frame(rows)})

    def write_docs(self, folder: Path) -> Path:
        """Build the data docs of everything that was run; return the page to open first."""
        with written_aside(folder) as aside:
            self.context.add_data_docs_site(folder.name, site(aside.absolute()))
            self.context.build_data_docs(site_names=[folder.name])
            self.context.delete_data_docs_site(folder.name)
        return folder / "index.html"

    def _run(self, suite: Suite, about: str, batch: Any, parameters: Any = None) -> list[Outcome]:
        name = _label(suite, about)
        known = self.context.suites.add(gx.ExpectationSuite(name=name, expectations=list(map(expected, suite.rules))))
        definition = gx.ValidationDefinition(name=name, data=batch, suite=known)
        validation = self.context.validation_definitions.add(definition)
        found = validation.run(batch_parameters=parameters, result_format=FORMAT)
        by_name = {result.expectation_config.meta[_RULE]: result for result in found.results}
        return [_outcome(suite, rule, by_name[rule.name]) for rule in suite.rules]


def expected(rule: Rule) -> Any:
    """The rule as an expectation."""
    kind, arguments = Column(EVENT_TYPE), dict(rule.arguments)
    about = [kind.is_in(list(rule.only))] if rule.only else []
    about += [kind.is_not_null(), kind.is_not_in(list(rule.unless))] if rule.unless else []
    if about:
        arguments["row_condition"] = reduce(lambda one, other: one & other, about)
    return getattr(expectations, rule.expectation)(severity=rule.severity, meta={_RULE: rule.name}, **arguments)


def _label(suite: Suite, about: str) -> str:
    return f"{suite.name}-{suite.version}-{about}"


def _outcome(suite: Suite, rule: Rule, result: Any) -> Outcome:
    found: Mapping[str, Any] = result.result
    if not found:
        raise RuntimeError(f"Rule {rule.name} could not be evaluated: {_why(result.exception_info)}")
    observed = found.get("observed_value", found.get("partial_unexpected_list") or None)
    return Outcome(
        suite, rule, bool(result.success), _plain(observed), found.get("unexpected_count"), found.get("element_count")
    )


def _why(told: Mapping[str, Any]) -> str:
    """The messages of the metrics that failed, or of the expectation as a whole."""
    failures = [told] if "exception_message" in told else told.values()
    return "; ".join(sorted({str(failure["exception_message"]) for failure in failures}))


def _plain(value: Any) -> Any:
    """Numbers and texts that JSON knows, null for what is missing."""
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    if pd.isna(value):
        return None
    if hasattr(value, "item"):
        value = value.item()
    known = isinstance(value, (bool, int, str)) or (isinstance(value, float) and isfinite(value))
    return value if known else str(value)
