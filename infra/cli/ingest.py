"""``penchant ingest`` and ``penchant skip``: take a delivery by hand, or release a day that cannot be had."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, redirect_stdout
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from features.events.manifest import Manifest
    from infra.partitions import Span
    from infra.settings import Settings

DAY = ["%Y-%m-%d"]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def register(app: typer.Typer) -> None:
    for command in (ingest, skip):
        app.command()(command)


def ingest(
    files: Annotated[
        list[Path] | None, typer.Argument(help="Files of the delivery; by default those in the landing zone.")
    ] = None,
    source: Annotated[str | None, typer.Option(help="Adapter; by default the setting source.")] = None,
    day: Annotated[datetime | None, typer.Option(formats=DAY, help="The day that the delivery is for.")] = None,
    start: Annotated[datetime | None, typer.Option(formats=DAY, help="First day of a bulk history.")] = None,
    end: Annotated[
        datetime | None, typer.Option(formats=DAY, help="The day after the last one of a bulk history.")
    ] = None,
    features: Annotated[bool, typer.Option(help="Also build the features and load the online store.")] = False,
    as_json: Json = False,
) -> None:
    """Take a delivery through the gate into the event log, and say where every row went."""
    from dags import steps
    from infra.settings import load_settings

    settings = load_settings()
    if source is not None:
        settings = settings.model_copy(update={"source": source})
    span, bulk = _span(day, start, end)
    deliveries = _stage(settings, files or [], span, bulk)
    with _notes_to_stderr():
        steps.check(settings, deliveries, span)
        steps.publish(settings, deliveries, span)
        if features:
            steps.materialise(settings, steps.span_of_params(steps.build(settings, span)))
    _show(settings, deliveries, as_json)


def skip(
    day: Annotated[datetime, typer.Argument(formats=DAY, help="The day to release.")],
    reason: Annotated[str, typer.Option(help="Why its data cannot be had; kept with the partition.")],
    source: Annotated[str | None, typer.Option(help="Adapter; by default the setting source.")] = None,
) -> None:
    """Release a day that cannot be had: its partition will be empty, for a stated reason."""
    from features.events.delivery import skip as release
    from infra.settings import load_settings

    settings = load_settings()
    marker = release(settings, source or settings.source, day.date(), reason)
    typer.echo(f"{day.date()} will be an empty partition: {marker}. Ingest it now, or clear its run in Airflow.")


def _span(day: datetime | None, start: datetime | None, end: datetime | None) -> tuple[Span, bool]:
    """The days asked for, and whether they are a bulk history."""
    from infra.errors import SettingsError
    from infra.partitions import Span

    if day is not None and start is None and end is None:
        return Span.of_day(day.date()), False
    if day is None and start is not None and end is not None:
        return Span(start.date(), end.date()), True
    raise SettingsError(
        "Which days the delivery is for is not clear.",
        "Give --day DAY, or --start DAY and --end DAY (the day after the last) for a bulk history.",
    )


def _stage(settings: Settings, files: Sequence[Path], span: Span, bulk: bool) -> list[str]:
    from dags import steps

    if not files:
        with _notes_to_stderr():
            return steps.ingest_history(settings, span) if bulk else steps.ingest_day(settings, span)

    from features.events.delivery import delivery_id, describe, known_since
    from features.events.ingest import ingest as take

    delivery = delivery_id(settings.source, describe(files, settings.unpacked_bytes), span)
    known = known_since(settings, delivery, None)
    return [take(settings, settings.source, files, span, bulk=bulk, delivered_at=known).delivery_id]


def _notes_to_stderr() -> AbstractContextManager[object]:
    """What the steps print is for Airflow's log; standard output is for the result."""
    return redirect_stdout(sys.stderr)


def _show(settings: Settings, deliveries: list[str], as_json: bool) -> None:
    from features.events.manifest import read_published
    from infra.cli.output import print_json

    manifests = [read_published(settings.lake, delivery) for delivery in deliveries]
    if as_json:
        print_json([manifest.model_dump(mode="json") for manifest in manifests])
        return
    for manifest in manifests:
        _show_one(manifest)


def _show_one(manifest: Manifest) -> None:
    last = manifest.span_end - timedelta(days=1)
    typer.echo(f"{manifest.delivery_id}, {manifest.span_start} to {last}")
    for name in ("rows_in", "accepted", "duplicate", "late", "early", "quarantined"):
        typer.echo(f"  {getattr(manifest, name):>10,}  {name.replace('_', ' ')}")
    for reason, count in sorted(manifest.quarantined_by_reason.items()):
        typer.echo(f"  {count:>10,}    {reason}")
    for name in manifest.ignored_files:
        typer.echo(f"  ignored: {name}")
