"""Suites have versions: a rule cannot change without one."""

from __future__ import annotations

from dataclasses import replace

from features.events.manifest import Manifest
from features.events.sources import SOURCES, Source
from infra.settings import Settings
from validation.history import FIGURES, history_rules
from validation.source_suite import SHARES, reason_of, source_suite
from validation.suites import (
    EVENTS_VERSION,
    FILES_VERSION,
    HISTORY_VERSION,
    digest,
    events_suite,
    files_suite,
)

#: Version -> digest of the rules that it stands for. When a rule changes, raise the version and add a line.
FILES = {"1": "aae7dabfa72a"}
EVENTS = {"1": "d616f7ce82c5", "2": "9bbff6d25941", "3": "3dab6025b433", "4": "4909ffffce69"}
HISTORY = {"1": "9ce9662132aa"}
SOURCE = {"1": "298aac2e66b5", "2": "711c01998e1c"}

ODD = Source(name="odd", required=(), columns={}, reasons=(("odd", "true"),))


def test_the_files_suite_is_the_one_of_its_version() -> None:
    assert FILES[FILES_VERSION] == digest(files_suite().rules)


def test_the_events_suite_is_the_one_of_its_version(shop: Settings, manifest: Manifest) -> None:
    assert EVENTS[EVENTS_VERSION] == digest(events_suite(shop, manifest).rules)


def test_the_history_suite_is_the_one_of_its_version() -> None:
    past = [{figure.name: value / 10 for figure in FIGURES} for value in range(1, 10)]
    rules = history_rules(past, past[0], "") + history_rules(past, past[0], "Sunday")
    assert HISTORY[HISTORY_VERSION] == digest(rules)


def test_a_sources_suite_is_the_one_of_its_version() -> None:
    suite = source_suite(ODD)
    version, _, own = suite.version.partition(".")
    assert own == digest(suite.rules)
    stated = tuple(rule for rule in suite.rules if reason_of(rule) in (*SHARES, "odd"))
    assert SOURCE[version] == digest(stated)


def test_sources_with_other_reasons_have_other_versions() -> None:
    assert source_suite(SOURCES["canonical"]).version != source_suite(SOURCES["online-retail"]).version


def test_a_digest_tells_any_change_of_a_rule() -> None:
    [rule] = files_suite().rules
    changes = (
        {"name": "x"},
        {"severity": "warning"},
        {"arguments": {}},
        {"failing": "x"},
        {"only": ("x",)},
        {"unless": ("x",)},
    )
    digests = {digest((replace(rule, **change),)) for change in changes}  # type: ignore[arg-type]
    assert len(digests | {digest((rule,))}) == len(changes) + 1
