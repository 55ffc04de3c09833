"""A delivery held against its suites: the events, what its source refused, and the shop's own history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any, Final

import duckdb
import pyarrow as pa

from features.events.day_figures import profiles
from features.events.manifest import Manifest
from features.events.sources import source_named
from infra.settings import Settings
from validation import batch
from validation.calendar import unlike_others
from validation.expectations import Outcome, Suites
from validation.gate_result import RuleResult
from validation.history import ENOUGH_DAYS, figures, past_days
from validation.refused import quarantine_of, reasons_in, refused_in
from validation.source_suite import ALL_REFUSED, ENOUGH_ROWS, REFUSED, reason_of, shares, source_suite
from validation.suites import Suite, events_suite, files_suite, history_suite

_REPLAY: Final = "rows out of the quarantine are like no others"


def judge(settings: Settings, manifest: Manifest, suites: Suites) -> list[RuleResult]:
    """What every rule found; if the files' types are wrong, nothing else is looked at."""
    files = batch.delivery_files(settings, manifest)
    if not files:
        return [_left_out(files_suite(), "types", "no row of the replay was taken, so there is no file")]
    types = suites.look(files_suite(), manifest.delivery_id, batch.types(files))
    results = [_result(outcome) for outcome in types]
    if not types[0].success:
        # rows of another shape cannot be read as events
        return results
    with batch.opened(settings, manifest, files) as connection:
        results += _of_events(settings, manifest, suites, connection)
        results += _of_source(settings, manifest, suites)
        results += _of_history(settings, manifest, suites, connection, files)
    return results


def _of_events(
    settings: Settings, manifest: Manifest, suites: Suites, connection: duckdb.DuckDBPyConnection
) -> list[RuleResult]:
    outcomes = suites.count(events_suite(settings, manifest), manifest.delivery_id, connection)
    return [
        _result(outcome, samples=() if outcome.success else batch.failing(connection, outcome.rule))
        for outcome in outcomes
    ]


def _of_source(settings: Settings, manifest: Manifest, suites: Suites) -> list[RuleResult]:
    suite = source_suite(source_named(manifest.source))
    if not manifest.closes:
        return [_left_out(suite, "shares", _REPLAY)]
    results = []
    if manifest.rows_in < ENOUGH_ROWS:
        results = [_left_out(suite, "shares", f"{manifest.rows_in} raw rows; {ENOUGH_ROWS} are needed")]
        suite = replace(suite, rules=(ALL_REFUSED,))
    if not manifest.rows_in:
        return results
    path = quarantine_of(settings.lake, manifest.delivery_id)
    counts = {**reasons_in(path), REFUSED: manifest.quarantined}
    for outcome in suites.look(suite, manifest.delivery_id, shares(suite, counts, manifest)):
        reason = reason_of(outcome.rule)
        samples = () if outcome.success else _refused(path, reason)
        results.append(_result(outcome, counts.get(reason, 0), manifest.rows_in, samples))
    return results


def _of_history(
    settings: Settings,
    manifest: Manifest,
    suites: Suites,
    connection: duckdb.DuckDBPyConnection,
    files: Sequence[Path],
) -> list[RuleResult]:
    past = past_days(settings, manifest.source, manifest.span_start)
    if why := _no_comparison(manifest, len(past)):
        return [_left_out(history_suite(past, {}, ""), "history", why)]
    now = _like(settings, manifest, connection, files)
    suite = history_suite(past, now, unlike_others(settings, manifest.span_start))
    return [_result(outcome) for outcome in suites.look(suite, manifest.delivery_id, pa.Table.from_pylist([now]))]


def _no_comparison(manifest: Manifest, days: int) -> str:
    if not manifest.closes:
        return _REPLAY
    if manifest.bulk:
        return "a bulk history has no past to compare with"
    if manifest.closed != "rows":
        return f"the day is without rows: {manifest.reason}"
    if days < ENOUGH_DAYS:
        return f"{days} past days with rows; {ENOUGH_DAYS} are needed"
    return ""


def _like(
    settings: Settings, manifest: Manifest, connection: duckdb.DuckDBPyConnection, files: Sequence[Path]
) -> dict[str, float]:
    """Figures of a day of the span; late and early rows belong to others."""
    known = profiles(connection, settings, files, manifest.days)
    days = [figures(profile) for (day, _), profile in known.items() if day in manifest.span]
    if not days:
        return {"row_count": 0}
    names = dict.fromkeys(name for day in days for name in day)
    return {name: median(day[name] for day in days if name in day) for name in names}


def _refused(path: Path, reason: str) -> list[dict[str, str]]:
    found = refused_in(path, reason=None if reason == REFUSED else reason, limit=batch.SAMPLES)
    return [{"file": row["file"], "row": str(row["row"]), "original": row["original"]} for row in found.to_pylist()]


def _result(
    outcome: Outcome, failing: int | None = None, rows: int | None = None, samples: Sequence[dict[str, Any]] = ()
) -> RuleResult:
    return RuleResult(
        rule=outcome.rule.name,
        severity=outcome.rule.severity,
        suite=outcome.suite.name,
        suite_version=outcome.suite.version,
        success=outcome.success,
        observed=outcome.observed,
        failing=outcome.failing if failing is None else failing,
        rows=outcome.rows if rows is None else rows,
        samples=tuple(samples),
    )


def _left_out(suite: Suite, what: str, why: str) -> RuleResult:
    return RuleResult(
        rule=what, severity="warning", suite=suite.name, suite_version=suite.version, evaluated=False, why=why
    )
