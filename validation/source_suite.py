"""One suite a source: which share of its raw rows may be refused, for each reason that it can have.

Judged from what the ingest left beside the delivery, its quarantine and its manifest; the raw files are
not read again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

import pyarrow as pa

from features.events.manifest import Manifest
from features.events.reasons import COMMON, TIME_UNREADABLE, TOO_LATE
from features.events.rule import Rule, Severity
from features.events.rules import ITEM_MISSING, TYPE_UNKNOWN
from features.events.sources import Source
from features.events.sources.online_retail import NOT_A_PRODUCT
from validation.suites import Suite, digest

#: Raised when a share changes; a source's own reasons are told apart by their digest.
SOURCES_VERSION: Final = "2"
#: A share of fewer rows than this says nothing.
ENOUGH_ROWS: Final = 50
#: Rows refused for whatever reason; a row counts once.
REFUSED: Final = "refused"
#: Rows came, and none of them is good: the day would be closed as if nobody had been there.
ALL_REFUSED: Final = Rule(
    "all_refused",
    "critical",
    "ExpectColumnMaxToBeBetween",
    {"column": REFUSED, "max_value": 1, "strict_max": True},
)


class Shares(NamedTuple):
    """Of a delivery's raw rows: above ``warning`` the rule is broken, above ``critical`` the delivery too."""

    warning: float
    critical: float


DEFAULT: Final = Shares(0.05, 0.3)
#: By reason, where the default is not right.
SHARES: Final = {
    REFUSED: Shares(0.1, 0.5),
    # another format of times, types or items than the one agreed upon: it does not happen to single rows
    TIME_UNREADABLE: Shares(0.01, 0.1),
    TYPE_UNKNOWN: Shares(0.01, 0.1),
    ITEM_MISSING: Shares(0.01, 0.1),
    # a delivery that comes late as a whole
    TOO_LATE: Shares(0.05, 0.5),
    # postage and fees are in every shop's books
    NOT_A_PRODUCT: Shares(0.1, 0.5),
}


def source_suite(source: Source) -> Suite:
    """The suite of a source: one rule for all, and two a reason, its own reasons and those of every source."""
    own = (reason for reason, _ in source.reasons)
    reasons = dict.fromkeys((REFUSED, *own, *(reason for reason, _ in COMMON), TOO_LATE))
    rules = (ALL_REFUSED, *(rule for reason in reasons for rule in _at_most(reason)))
    return Suite(f"source-{source.name}", f"{SOURCES_VERSION}.{digest(rules)}", rules)


def reason_of(rule: Rule) -> str:
    """The reason that a rule of a source's suite is about."""
    return rule.column


def shares(suite: Suite, counts: Mapping[str, int], manifest: Manifest) -> pa.Table:
    """One row: for each reason of the suite its share of the delivery's raw rows."""
    reasons = dict.fromkeys(reason_of(rule) for rule in suite.rules)
    return pa.Table.from_pylist([{reason: counts.get(reason, 0) / manifest.rows_in for reason in reasons}])


def _at_most(reason: str) -> list[Rule]:
    most = SHARES.get(reason, DEFAULT)
    return [
        _rule(f"{reason}_share", "warning", reason, most.warning),
        _rule(f"{reason}_share_limit", "critical", reason, most.critical),
    ]


def _rule(name: str, severity: Severity, reason: str, most: float) -> Rule:
    return Rule(name, severity, "ExpectColumnMaxToBeBetween", {"column": reason, "max_value": most})
