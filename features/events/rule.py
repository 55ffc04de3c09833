"""A rule about events: the SQL condition of the rows that break it, beside how Great Expectations says it.

The class of the expectation is named, not imported: whoever only takes rows needs no Great Expectations.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, Literal

from features.events.schema import EVENT_TYPE
from features.events.scratch import text

Severity = Literal["critical", "warning"]

#: Stands for the later bound of time: the clock, or the delivery's own moment if that is earlier.
HORIZON: Final = "$horizon"


@dataclass(frozen=True)
class Rule:
    """One rule.

    Args:
        name: what the gate calls it.
        expectation: name of the class in ``great_expectations.expectations``.
        arguments: its keyword arguments.
        failing: SQL condition of the rows that break it; empty for a rule about the whole.
        only: it is about events of these types; empty: of all types.
        unless: it is about events of a known type that is none of these; empty: of all types.
        reason: what the quarantine calls a row that breaks it; empty: no row is refused for it.
    """

    name: str
    severity: Severity
    expectation: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    failing: str = ""
    only: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    reason: str = ""

    @property
    def column(self) -> str:
        """The column that it is about; empty for a rule about two or about the whole."""
        return str(self.arguments.get("column", ""))

    @property
    def condition(self) -> str:
        """SQL condition of the rows that break it, event types included."""
        types = [f"{EVENT_TYPE} IN ({listed(self.only)})"] if self.only else []
        types += [f"{EVENT_TYPE} NOT IN ({listed(self.unless)})"] if self.unless else []
        return " AND ".join([f"({self.failing})", *types])

    def until(self, horizon: datetime) -> Rule:
        """The same rule with a moment in the place of ``HORIZON``."""
        arguments = {name: horizon if value == HORIZON else value for name, value in self.arguments.items()}
        return replace(self, arguments=arguments, failing=self.failing.replace(HORIZON, literal(horizon)))


def literal(value: Any) -> str:
    """A bound as SQL."""
    if isinstance(value, datetime):
        return f"TIMESTAMPTZ {text(value.isoformat())}"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))  # a decimal would be compared as one, slowly
    return str(value) if isinstance(value, (bool, int, float)) or value == HORIZON else text(value)


def listed(values: Iterable[Any]) -> str:
    """Values as an SQL list without its brackets."""
    return ", ".join(literal(value) for value in values)


def outside(column: str, low: Any, high: Any) -> str:
    """SQL condition of values below ``low`` or above ``high``; None is no bound."""
    bounds = [f"{column} < {literal(low)}"] if low is not None else []
    return " OR ".join([*bounds, *([f"{column} > {literal(high)}"] if high is not None else [])])


def not_among(column: str, values: Iterable[Any]) -> str:
    """SQL condition of values that are none of these."""
    return f"{column} NOT IN ({listed(values)})"


def unlike(column: str, pattern: str) -> str:
    """SQL condition of texts in which a regular expression, as Python writes it, is not found."""
    ours = pattern.replace(r"\Z", r"\z")  # how DuckDB writes the end of the text
    return f"NOT regexp_matches({column}, {text(ours)})"
