"""What a staged delivery must hold: the event schema as rules, each once for the gate and for picking rows.

A rule names a Great Expectations class with its arguments, and, where it is about single rows, the SQL
condition of the rows that break it; a test holds that both pick the same rows. Critical rules stop a
partition, warnings are recorded and pass.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, Literal

from features.events.manifest import Manifest
from features.events.reasons import AMOUNT_LIMIT, RATING_RANGE
from features.events.schema import (
    CURRENCY,
    DELIVERY_ID,
    DWELL_MS,
    EVENT,
    EVENT_ID,
    EVENT_TYPE,
    EVENT_TYPES,
    INGESTED_AT,
    ITEM_ID,
    OCCURRED_AT,
    PRICE,
    QUANTITY,
    RATING,
    SOURCE,
    USER_ID,
    WITHOUT_ITEM,
)
from features.events.sources.canonical import INBOX
from infra.partitions import day_of
from infra.settings import Settings

Severity = Literal["critical", "warning"]

#: Columns of the batch that are not the event's: day of its file, day of its time, known already elsewhere.
FILE_DAY: Final = "file_day"
TIME_DAY: Final = "time_day"
KNOWN: Final = "known"

#: Columns of the schema batch: one row a file and column.
COLUMN: Final = "column_name"
TYPE: Final = "type"
EXPECTED_TYPE: Final = "expected_type"

_USERS_FROM_ROWS: Final = 50  # fewer rows may well be guests' only, and so may what is posted
_USERS_AT_LEAST: Final = 0.01


@dataclass(frozen=True)
class Rule:
    """One rule.

    Args:
        expectation: name of the class in ``great_expectations.expectations``.
        arguments: its keyword arguments.
        failing: SQL condition of the rows that break it; empty for a rule about the whole.
        only: the rule is about rows whose event type is one of these; empty: about all.
    """

    name: str
    severity: Severity
    expectation: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    failing: str = ""
    only: tuple[str, ...] = ()


def schema_rules() -> list[Rule]:
    """About the files: every column of the event schema, in order, with its type."""
    arguments = {"column_A": TYPE, "column_B": EXPECTED_TYPE}
    return [Rule("types", "critical", "ExpectColumnPairValuesToBeEqual", arguments)]


def event_rules(settings: Settings, manifest: Manifest, rows: int) -> list[Rule]:
    """About the events of one delivery, ``rows`` of them."""
    written = manifest.accepted + manifest.late + manifest.early
    rules = [
        Rule("complete", "critical", "ExpectTableRowCountToEqual", {"value": written}),
        *(_present(column.name) for column in EVENT if not column.nullable),
        _present(ITEM_ID, tuple(kind for kind in EVENT_TYPES if kind not in WITHOUT_ITEM)),
        Rule(
            "event_id_unique",
            "critical",
            "ExpectColumnValuesToBeUnique",
            {"column": EVENT_ID},
            f"count(*) OVER (PARTITION BY {EVENT_ID}) > 1 AND {EVENT_ID} IS NOT NULL",
        ),
        _in_set("event_id_new", KNOWN, [False]),
        _in_set("event_type_known", EVENT_TYPE, list(EVENT_TYPES)),
        _in_set("source_named", SOURCE, [manifest.source]),
        _in_set("delivery_named", DELIVERY_ID, [manifest.delivery_id]),
        _in_set("inside_span", FILE_DAY, _days(settings, manifest)),
        Rule(
            "inside_partition",
            "critical",
            "ExpectColumnPairValuesToBeEqual",
            {"column_A": TIME_DAY, "column_B": FILE_DAY},
            f"{TIME_DAY} <> {FILE_DAY}",
        ),
        Rule(
            "known_after_it_happened",
            "critical",
            "ExpectColumnPairValuesAToBeGreaterThanB",
            {"column_A": INGESTED_AT, "column_B": OCCURRED_AT, "or_equal": True},
            f"{INGESTED_AT} < {OCCURRED_AT}",
        ),
        _between(QUANTITY, 1, AMOUNT_LIMIT),
        _between(PRICE, 0, AMOUNT_LIMIT),
        _between(DWELL_MS, 0, None),
        _between(RATING, *RATING_RANGE),
        Rule(
            "currency_code",
            "critical",
            "ExpectColumnValuesToMatchRegex",
            {"column": CURRENCY, "regex": "^[A-Z]{3}$"},
            f"NOT regexp_matches({CURRENCY}, '^[A-Z]{{3}}$')",
        ),
        _present(PRICE, ("purchase",), "warning"),
    ]
    if rows >= _USERS_FROM_ROWS and manifest.source != INBOX.name:
        rules.append(_some_users())
    return rules


def _some_users() -> Rule:
    """A delivery of any size that has lost its users teaches nothing about them."""
    arguments = {"column": USER_ID, "mostly": _USERS_AT_LEAST}
    return Rule("users_present", "critical", "ExpectColumnValuesToNotBeNull", arguments, f"{USER_ID} IS NULL")


def _present(column: str, only: tuple[str, ...] = (), severity: Severity = "critical") -> Rule:
    arguments = {"column": column}
    return Rule(f"{column}_present", severity, "ExpectColumnValuesToNotBeNull", arguments, f"{column} IS NULL", only)


def _in_set(name: str, column: str, values: list[Any]) -> Rule:
    listed = ", ".join(str(value) if isinstance(value, bool) else f"'{value}'" for value in values)
    arguments = {"column": column, "value_set": values}
    return Rule(name, "critical", "ExpectColumnValuesToBeInSet", arguments, f"{column} NOT IN ({listed})")


def _between(column: str, low: float, high: float | None) -> Rule:
    arguments = {"column": column, "min_value": low, "max_value": high}
    above = "" if high is None else f" OR {column} > {high}"
    return Rule(
        f"{column}_in_range", "critical", "ExpectColumnValuesToBeBetween", arguments, f"{column} < {low}{above}"
    )


def _days(settings: Settings, manifest: Manifest) -> list[str]:
    """Days that a row may belong to: from the limit of lateness to the day of the delivery."""
    span = manifest.span
    last = max(span.end - timedelta(days=1), day_of(manifest.delivered_at, settings.zone))
    first = span.start - timedelta(days=settings.late_days)
    return [str(first + timedelta(days=offset)) for offset in range((last - first).days + 1)]
