"""Great Expectations: rules become suites, run against frames, and leave data docs.

The context lives in memory; only data docs are written, and only when asked. Importing this module
loads Great Expectations (seconds), so only the gate does.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pandas as pd
import pyarrow as pa

from features.events.schema import EVENT_TYPE
from infra.lake import written_aside
from validation.rules import Rule

with warnings.catch_warnings():
    # it imports sre_constants, which Python 3.11 deprecates
    warnings.simplefilter("ignore", DeprecationWarning)
    import great_expectations as gx
    from great_expectations import expectations
    from great_expectations.data_context.types.base import (
        DataContextConfig,
        InMemoryStoreBackendDefaults,
        ProgressBarsConfig,
    )
    from great_expectations.expectations.row_conditions import Column

_RULE: Final = "rule"
_FORMAT: Final = {"result_format": "SUMMARY", "partial_unexpected_count": 5}


@dataclass(frozen=True)
class Outcome:
    """What Great Expectations found for one rule; ``failing`` rows are null for a rule about the whole."""

    rule: Rule
    success: bool
    observed: Any
    failing: int | None


@dataclass
class Suites:
    """Suites run one after another in a context of their own, whose results the data docs show."""

    context: Any = field(default_factory=lambda: _context())

    def run(self, name: str, rules: Sequence[Rule], rows: pa.Table) -> list[Outcome]:
        """Validate a table against rules; the outcomes come in the rules' order.

        Raises:
            RuntimeError: an expectation could not be evaluated.
        """
        asset = self.context.data_sources.add_pandas(name).add_dataframe_asset(name)
        batch = asset.add_batch_definition_whole_dataframe(name)
        suite = self.context.suites.add(gx.ExpectationSuite(name=name, expectations=[_expectation(r) for r in rules]))
        definition = gx.ValidationDefinition(name=name, data=batch, suite=suite)
        validation = self.context.validation_definitions.add(definition)
        # nullable integers stay integers, so that no id or amount passes through a float
        frame = rows.to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get)
        found = validation.run(batch_parameters={"dataframe": frame}, result_format=_FORMAT)
        by_name = {result.expectation_config.meta[_RULE]: result for result in found.results}
        return [_outcome(rule, by_name[rule.name]) for rule in rules]

    def write_docs(self, folder: Path) -> Path:
        """Build the data docs of everything that was run; return the page to open first."""
        with written_aside(folder) as aside:
            self.context.add_data_docs_site(folder.name, _site(aside.absolute()))
            self.context.build_data_docs(site_names=[folder.name])
            self.context.delete_data_docs_site(folder.name)
        return folder / "index.html"


def _context() -> Any:
    config = DataContextConfig(
        store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
        analytics_enabled=False,
        progress_bars=ProgressBarsConfig(globally=False),
    )
    return gx.get_context(mode="ephemeral", project_config=config)


def _expectation(rule: Rule) -> Any:
    arguments = dict(rule.arguments)
    if rule.only:
        arguments["row_condition"] = Column(EVENT_TYPE).is_in(list(rule.only))
    return getattr(expectations, rule.expectation)(severity=rule.severity, meta={_RULE: rule.name}, **arguments)


def _outcome(rule: Rule, result: Any) -> Outcome:
    if result.exception_info.get("raised_exception"):
        raise RuntimeError(f"Rule {rule.name} could not be evaluated: {result.exception_info['exception_message']}")
    found: Mapping[str, Any] = result.result
    failing = found.get("unexpected_count")
    observed = found.get("observed_value", found.get("partial_unexpected_list") or None)
    return Outcome(rule, bool(result.success), _plain(observed), None if failing is None else int(failing))


def _plain(value: Any) -> Any:
    """Numbers and texts that JSON knows."""
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    if hasattr(value, "item"):
        value = value.item()
    return value if isinstance(value, (bool, int, float, str)) or value is None else str(value)


def _site(folder: Path) -> dict[str, Any]:
    return {
        "class_name": "SiteBuilder",
        "store_backend": {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(folder)},
        "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
    }
