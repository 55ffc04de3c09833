"""What a staged delivery must hold, beyond what every event must be (``features.events.rules``).

Critical rules stop a partition, warnings are recorded and pass.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from features.events.manifest import Manifest
from features.events.rule import Rule
from features.events.rules import ROW_RULES, among, missing
from features.events.schema import (
    DELIVERY_ID,
    EVENT,
    EVENT_TYPE,
    INGESTED_AT,
    OCCURRED_AT,
    PRICE,
    SOURCE,
    USER_ID,
)
from features.events.sources.canonical import INBOX
from infra.partitions import day_of
from infra.settings import Settings

#: The relation that rules are about, and its columns that are not the event's: day of its file, day of its
#: time, day and id together, known already elsewhere.
BATCH: Final = "batch"
FILE_DAY: Final = "file_day"
TIME_DAY: Final = "time_day"
EVENT_KEY: Final = "event_key"
KNOWN: Final = "known"

#: Columns of the schema batch: one row a file and column.
COLUMN: Final = "column_name"
TYPE: Final = "type"
EXPECTED_TYPE: Final = "expected_type"

_USERS_FROM_ROWS: Final = 50  # fewer rows may well be guests' only, and so may what is posted
_USERS_AT_LEAST: Final = 0.01
# a null is another rule's affair
_WHOLE_PAIRS: Final = {"ignore_row_if": "either_value_is_missing"}


def schema_rules() -> list[Rule]:
    """About the files: every column of the event schema, in order, with its type."""
    arguments = {"column_A": TYPE, "column_B": EXPECTED_TYPE}
    return [Rule("types", "critical", "ExpectColumnPairValuesToBeEqual", arguments)]


def event_rules(settings: Settings, manifest: Manifest) -> list[Rule]:
    """About the events of one delivery."""
    written = manifest.accepted + manifest.late + manifest.early
    rules = [
        Rule("complete", "critical", "ExpectTableRowCountToEqual", {"value": written}),
        *(missing(f"{column}_present", column) for column in EVENT.names if _must_be(column)),
        *(rule.until(manifest.delivered_at) for rule in ROW_RULES),
        missing("price_present", PRICE, "warning", only=("purchase",)),
        _unique("event_id_unique", EVENT_KEY),
        among("event_id_new", KNOWN, [False]),
        among("source_named", SOURCE, [manifest.source]),
        among("delivery_named", DELIVERY_ID, [manifest.delivery_id]),
        among("inside_span", FILE_DAY, _days(settings, manifest)),
        _pair("inside_partition", "ExpectColumnPairValuesToBeEqual", (TIME_DAY, "<>", FILE_DAY)),
        _pair(
            "known_after_it_happened",
            "ExpectColumnPairValuesAToBeGreaterThanB",
            (INGESTED_AT, "<", OCCURRED_AT),
            or_equal=True,
        ),
    ]
    if written >= _USERS_FROM_ROWS and manifest.source != INBOX.name:
        rules.append(_some_users())
    return rules


def _must_be(column: str) -> bool:
    """Whether a null of this column breaks a rule of its own here; the type's has its reason already."""
    return not EVENT.field(column).nullable and column != EVENT_TYPE


def _some_users() -> Rule:
    """A delivery of any size that has lost its users teaches nothing about them."""
    arguments = {"column": USER_ID, "mostly": _USERS_AT_LEAST}
    return Rule("users_present", "critical", "ExpectColumnValuesToNotBeNull", arguments, f"{USER_ID} IS NULL")


def _unique(name: str, column: str) -> Rule:
    repeated = f"{column} IN (SELECT {column} FROM {BATCH} GROUP BY ALL HAVING count(*) > 1)"
    return Rule(name, "critical", "ExpectColumnValuesToBeUnique", {"column": column}, repeated)


def _pair(name: str, expectation: str, broken: tuple[str, str, str], **arguments: Any) -> Rule:
    """About two columns: the comparison under which a row breaks it."""
    columns = {"column_A": broken[0], "column_B": broken[2]}
    return Rule(name, "critical", expectation, {**columns, **arguments, **_WHOLE_PAIRS}, " ".join(broken))


def _days(settings: Settings, manifest: Manifest) -> list[str]:
    """Days that a row may belong to: from the limit of lateness to the day of the delivery."""
    span = manifest.span
    last = max(span.end - timedelta(days=1), day_of(manifest.delivered_at, settings.zone))
    first = span.start - timedelta(days=settings.late_days)
    return [str(first + timedelta(days=offset)) for offset in range((last - first).days + 1)]
