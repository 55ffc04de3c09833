"""Suites: rules under a name and a version, so that a result says what it was judged by.

A version changes whenever a rule of its suite does; a test keeps the digest of each.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Final

from features.events.manifest import Manifest
from features.events.rule import Rule
from infra.settings import Settings
from validation.history import history_rules
from validation.rules import event_rules, schema_rules

FILES: Final = "files"
FILES_VERSION: Final = "1"
EVENTS: Final = "events"
EVENTS_VERSION: Final = "4"
HISTORY: Final = "history"
HISTORY_VERSION: Final = "1"


@dataclass(frozen=True)
class Suite:
    """Rules that are judged together."""

    name: str
    version: str
    rules: tuple[Rule, ...]


def digest(rules: tuple[Rule, ...]) -> str:
    """Twelve hex digits that change with any part of any rule."""
    content = json.dumps([asdict(rule) for rule in rules], sort_keys=True, default=str)
    return hashlib.sha256(content.encode()).hexdigest()[:12]


def files_suite() -> Suite:
    """What the files of events must look like before their rows can be read."""
    return Suite(FILES, FILES_VERSION, tuple(schema_rules()))


def events_suite(settings: Settings, manifest: Manifest) -> Suite:
    """The canonical suite: what the events of any source must be."""
    return Suite(EVENTS, EVENTS_VERSION, tuple(event_rules(settings, manifest)))


def history_suite(past: Sequence[Mapping[str, float]], now: Mapping[str, float], unlike: str) -> Suite:
    """Bands around what the shop was like on its ``past`` days (see ``history_rules``)."""
    return Suite(HISTORY, HISTORY_VERSION, history_rules(past, now, unlike))
