"""What the tasks do, as plain functions: rooms composed, references in and out, nothing of Airflow.

The command line calls the same functions. Each room is imported in the function that needs it, so
that a task which only counts does not pay for TensorFlow.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import date
from typing import Any

from infra.clock import WallClock
from infra.errors import RegistryError, ServiceError, SettingsError
from infra.partitions import Span
from infra.settings import Settings

#: Deliveries that land in between; more than so many in a row is no coincidence.
_OVERTAKEN_AT_MOST = 5


def span_of_run(partition_key: str | None, params: dict[str, Any] | None) -> Span:
    """The day of a run: its partition key ``YYYY-MM-DD``, or the parameter ``day`` of a run by hand.

    Raises:
        SettingsError: the run has neither, or it is not a date.
    """
    named = partition_key or (params or {}).get("day") or ""
    try:
        return Span.of_day(date.fromisoformat(named))
    except ValueError as error:
        raise SettingsError(
            f"The run is for {named!r}, which is not a day.",
            "Give a run by hand the parameter day, such as 2010-12-09.",
        ) from error


def span_of_params(params: dict[str, Any] | None) -> Span:
    """The span ``[start, end)`` of a run's parameters.

    Raises:
        SettingsError: one of them is missing or not a date, or they are the wrong way round.
    """
    try:
        given = params or {}
        return Span(date.fromisoformat(given["start"]), date.fromisoformat(given["end"]))
    except (KeyError, TypeError, ValueError) as error:
        raise SettingsError(
            f"The run's parameters are {params}.", "Give start and end as YYYY-MM-DD; end is the day after the last."
        ) from error


def ingest_day(settings: Settings, span: Span) -> list[str]:
    """Stage what arrived for one day, files and inbox; returns the deliveries."""
    from features.events.arrivals import take_day
    from infra.database import answering, engine

    database = engine(settings)
    try:
        with answering(settings):
            taken = take_day(settings, settings.source, span.start, inbox=database)
    finally:
        database.dispose()
    return _told(taken)


def ingest_history(settings: Settings, span: Span) -> list[str]:
    """Stage the files of the bulk history; returns the deliveries."""
    from features.events.arrivals import take_history

    return _told([take_history(settings, settings.source, span)])


def check(settings: Settings, deliveries: list[str], span: Span) -> list[str]:
    """Hold every staged delivery against the expectations; returns the deliveries.

    Raises:
        PartitionRefused: a critical rule is broken; names rule, rows and data docs.
    """
    from validation.partition_gate import check as check_delivery

    for delivery in deliveries:
        result = check_delivery(settings, delivery, span)
        print(f"{delivery}: {len(result.rules)} rules, {len(result.warnings)} warnings", *result.warnings)
        if result.docs:
            print(f"Data docs: {settings.lake.root / result.docs}")
        result.insist()
    return deliveries


def publish(
    settings: Settings, deliveries: list[str], span: Span, stage: Callable[[], list[str]] | None = None
) -> dict[str, Any]:
    """Move the deliveries into the event log and close the days of the span.

    Of two deliveries of one partition at once the second waits. If it shares events with the first, it is
    staged and checked again: they are duplicates now.

    Args:
        stage: stages the deliveries again; by default from the landing zone.
    """
    from features.events.publish import Overtaken
    from features.events.publish import publish as publish_deliveries

    for tries_left in reversed(range(_OVERTAKEN_AT_MOST)):
        try:
            days = publish_deliveries(settings, deliveries)
            break
        except Overtaken as overtaken:
            if not tries_left:
                raise
            print(f"{overtaken.what} They are staged again.")
            staged = stage() if stage else _stage_again(settings, deliveries, span)
            deliveries = check(settings, staged, span)
    _record(settings, deliveries)
    return {"span": str(span), "days": len(days), "deliveries": deliveries}


def _stage_again(settings: Settings, deliveries: list[str], span: Span) -> list[str]:
    from features.events.manifest import read_manifest

    bulk = any(read_manifest(settings.lake, delivery).bulk for delivery in deliveries)
    return ingest_history(settings, span) if bulk else ingest_day(settings, span)


def profile(settings: Settings, span: Span) -> str:
    """Write the page about the days of the span; returns its path, relative to the lake."""
    from validation.profile.report import report

    _, page = report(settings, span)
    print(f"Profile: {page}")
    return str(page.relative_to(settings.lake.root))


def build(settings: Settings, span: Span) -> dict[str, Any]:
    """Build the features of the span, of closed days before it that nobody has built, and of changed days.

    Returns:
        the whole span that was built, the rows, and ``reissued``: days built before that are not what they were.
    """
    from features.build import build as build_views
    from features.days import due
    from features.reissue import watching

    whole = due(settings, span)
    with watching(settings, span, whole) as watch:
        built = build_views(settings, whole, progress=lambda what, n, m: print(f"{n} of {m}: {what}"))
        again = [str(day) for day in watch.reissued()]
    return {"start": str(whole.start), "end": str(whole.end), **built, "reissued": again}


def materialise(settings: Settings, span: Span) -> dict[str, Any]:
    """Put the rows of the span into the online store."""
    from features.store.materialise import materialise as materialise_views

    return {"span": str(span), **materialise_views(settings, span)}


def merge_days(settings: Settings, *, dry_run: bool = False) -> dict[str, Any]:
    """Merge the many files of old closed days; returns days, files and bytes."""
    from features.events.keeping.compaction import compact

    merged = compact(settings, settings.shop_clock().now(), dry_run=dry_run)
    if merged.left:
        print(f"Left: {', '.join(merged.left)}; publish what was cut short there again.")
    return asdict(merged)


def retire_files(settings: Settings, *, dry_run: bool = False) -> dict[str, Any]:
    """Remove the files of the lake that had their time; returns files and bytes of each kind."""
    from features.events.keeping.retention import retire

    return asdict(retire(settings, settings.shop_clock().now(), WallClock().now(), dry_run=dry_run))


def retire_inbox(settings: Settings, *, dry_run: bool = False) -> dict[str, Any]:
    """Delete the rows of the inbox that are in the lake and had their time; returns how many."""
    from features.events.keeping.exported import forget_exported
    from infra.database import answering, engine

    database = engine(settings)
    try:
        with answering(settings):
            rows = forget_exported(settings, database, settings.shop_clock().now(), dry_run=dry_run)
    finally:
        database.dispose()
    return {"rows": rows}


def train(settings: Settings) -> dict[str, Any]:
    """Snapshot, fit, log and register; returns the run and the versions."""
    from training.run import train as train_model

    trained = train_model(settings, on_progress=print)
    return {
        "run_id": trained.run_id,
        "version": trained.version,
        "baseline": trained.baseline,
        "baseline_version": trained.baseline_version,
    }


def challenge(settings: Settings, version: str | int | None) -> dict[str, Any]:
    """Measure a version (the newest challenger when None) on the fresh days, beside its rivals."""
    from infra.registry import Registry
    from infra.versions import CHALLENGER
    from training.challenge import challenge as measure

    with Registry(settings) as registry:
        number = int(version) if version else registry.versions.holder(CHALLENGER)
    if number is None:
        raise RegistryError("There is no challenger to judge.", "Train one: penchant train.")
    return {"version": number, "evaluation": measure(settings, number)}


def judge(settings: Settings, challenged: dict[str, Any]) -> dict[str, Any]:
    """Hold the figures against the gate's rules; returns the verdict as data."""
    from infra.evaluations import load_evaluation
    from validation.model_gate import judge as judge_evaluation

    verdict = judge_evaluation(load_evaluation(settings.lake, challenged["evaluation"]), settings)
    print(verdict.reason)
    return verdict.to_json()


def decide(settings: Settings, verdict: dict[str, Any], actor: str) -> dict[str, Any]:
    """Write the verdict to the ledger and move the alias if it was won; returns what serves now."""
    from infra.registry import Registry

    version, reason = verdict["version"], verdict["reason"]
    with Registry(settings) as registry:
        if verdict["outcome"] == "promoted":
            registry.promote(version, actor, reason, verdict=verdict, judged_against=verdict["champion_version"])
        else:
            registry.reject(version, actor, reason, verdict=verdict)
        champion = registry.champion()
    if champion is None:
        raise RegistryError("Nothing serves after the decision.", "Look at the ledger: penchant ledger.")
    return {"outcome": verdict["outcome"], "reason": reason, "version": champion.version}


def _record(settings: Settings, deliveries: list[str]) -> None:
    """Mirror what the gate found; until PostgreSQL answers, the manifests keep it."""
    from infra.database import answering, engine
    from validation.recorded import mirror

    database = engine(settings)
    try:
        with answering(settings):
            mirror(settings.lake, database, again=deliveries)
    except ServiceError as error:
        print(f"The gate's results are not in PostgreSQL yet, only in the manifests: {error.what}")
    finally:
        database.dispose()


def _told(manifests: list[Any]) -> list[str]:
    for taken in manifests:
        print(
            f"{taken.delivery_id}: {taken.rows_in} rows in, {taken.accepted} accepted, {taken.duplicate} duplicate, "
            f"{taken.late} late, {taken.early} early, {taken.quarantined} quarantined"
        )
    return [taken.delivery_id for taken in manifests]
