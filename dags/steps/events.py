"""From what arrived to closed days."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from infra.errors import ServiceError
from infra.partitions import Span
from infra.settings import Settings

#: Deliveries that land in between; more than so many in a row is no coincidence.
_OVERTAKEN_AT_MOST = 5


def ingest_day(settings: Settings, span: Span) -> list[str]:
    """Stage what arrived for one day, files and inbox; returns the deliveries."""
    from features.events.arrivals import take_day
    from infra.database import opened

    with opened(settings) as database:
        taken = take_day(settings, settings.source, span.start, inbox=database)
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


def profile(settings: Settings, span: Span) -> str:
    """Write the page about the days of the span; returns its path, relative to the lake."""
    from validation.profile.report import report

    _, page = report(settings, span)
    print(f"Profile: {page}")
    return str(page.relative_to(settings.lake.root))


def _stage_again(settings: Settings, deliveries: list[str], span: Span) -> list[str]:
    from features.events.manifest import read_manifest

    bulk = any(read_manifest(settings.lake, delivery).bulk for delivery in deliveries)
    return ingest_history(settings, span) if bulk else ingest_day(settings, span)


def _record(settings: Settings, deliveries: list[str]) -> None:
    """Mirror what the gate found; until PostgreSQL answers, the manifests keep it."""
    from infra.database import opened
    from validation.recorded import mirror

    try:
        with opened(settings) as database:
            mirror(settings.lake, database, again=deliveries)
    except ServiceError as error:
        print(f"The gate's results are not in PostgreSQL yet, only in the manifests: {error.what}")


def _told(manifests: list[Any]) -> list[str]:
    for taken in manifests:
        print(
            f"{taken.delivery_id}: {taken.rows_in} rows in, {taken.accepted} accepted, {taken.duplicate} duplicate, "
            f"{taken.late} late, {taken.early} early, {taken.quarantined} quarantined"
        )
    return [taken.delivery_id for taken in manifests]
