"""``penchant ingest`` and ``penchant skip``: take a delivery by hand, or release a day that cannot be had."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, redirect_stdout
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from infra.cli.days import METAVAR, span_of

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
    places: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PATH|GLOB|URL]...", help="Files or folders of the delivery; by default the landing zone's."
        ),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(help="Adapter; by default found from the files' columns, in the landing zone a setting."),
    ] = None,
    day: Annotated[datetime | None, typer.Option(formats=DAY, help="The day that the delivery is for.")] = None,
    start: Annotated[datetime | None, typer.Option(formats=DAY, help="First day of a bulk history.")] = None,
    end: Annotated[
        datetime | None, typer.Option(formats=DAY, help="The day after the last one of a bulk history.")
    ] = None,
    features: Annotated[bool, typer.Option(help="Also build the features and load the online store.")] = False,
    as_json: Json = False,
) -> None:
    """Take a delivery through the gate into the event log, and say where every row went.

    Files that are named without days are a bulk history of all the days in them.
    """
    from dags import steps
    from infra.locks import one_at_a_time
    from infra.settings import load_settings

    settings = load_settings()
    if source is not None:
        settings = settings.model_copy(update={"source": source})
    if features:
        steps.require_stores(settings)
    asked = _span(day, start, end, named=bool(places))
    with one_at_a_time(settings, "ingest"):  # somebody else may take the same files
        deliveries, span = _stage(settings, places or [], source, asked, bulk=day is None)
        for delivery in deliveries:
            if settings.lake.manifest(delivery).exists():
                typer.echo(f"{delivery} was taken before: what it brought then is counted once.", err=True)
        with notes_to_stderr():
            steps.check(settings, deliveries, span)
            steps.publish(settings, deliveries, span, _again(settings, places or [], source, span, bulk=day is None))
    with notes_to_stderr():
        if features:
            steps.materialise(settings, steps.span_of_params(steps.build(settings, span)))
    show(settings, deliveries, as_json)


def skip(
    days: Annotated[str, typer.Argument(metavar=METAVAR, help="The day to release, or several up to before END.")],
    reason: Annotated[str, typer.Option(help="Why its data cannot be had; kept with the partition.")],
    source: Annotated[str | None, typer.Option(help="Adapter; by default the setting source.")] = None,
) -> None:
    """Release days that cannot be had: their partitions will be empty, for a stated reason."""
    from features.events.landing_folder import skip as release
    from infra.settings import load_settings

    settings = load_settings()
    for day, marker in release(settings, source or settings.source, span_of(days), reason).items():
        typer.echo(f"{day} will be an empty partition: {marker}. Ingest it now, or clear its run in Airflow.")


def _span(day: datetime | None, start: datetime | None, end: datetime | None, *, named: bool) -> Span | None:
    """The days asked for; None: those that are found in files that are named."""
    from infra.errors import SettingsError
    from infra.partitions import Span

    if day is not None and start is None and end is None:
        return Span.of_day(day.date())
    if day is None and start is not None and end is not None and start < end:
        return Span(start.date(), end.date())
    if named and day is None and start is None and end is None:
        return None
    raise SettingsError(
        "Which days the delivery is for is not clear.",
        "Give --day DAY, or --start DAY and --end DAY (the day after the last) for a bulk history.",
    )


def _stage(
    settings: Settings, places: Sequence[str], source: str | None, span: Span | None, *, bulk: bool
) -> tuple[list[str], Span]:
    from dags import steps
    from features.events.by_hand import take_files

    if places:
        with notes_to_stderr():
            manifest = take_files(settings, places, source=source, span=span, bulk=bulk)
        return [manifest.delivery_id], manifest.span
    if span is None:
        raise ValueError("without files the days are named")
    with notes_to_stderr():
        return (steps.ingest_history if bulk else steps.ingest_day)(settings, span), span


def _again(
    settings: Settings, places: Sequence[str], source: str | None, span: Span, *, bulk: bool
) -> Callable[[], list[str]] | None:
    """Stages files that were named once more; what lies in the landing zone the step finds itself."""
    return (lambda: _stage(settings, places, source, span, bulk=bulk)[0]) if places else None


def notes_to_stderr() -> AbstractContextManager[object]:
    """What the steps print is for Airflow's log; standard output is for the result."""
    return redirect_stdout(sys.stderr)


def show(settings: Settings, deliveries: list[str], as_json: bool) -> None:
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
    for name, done in manifest.cleaned.items():
        for what, count in done.items():
            typer.echo(f"  {count:>10,}  {name} {what}")
    for what, count in manifest.catalogue.items():
        typer.echo(f"  {count:>10,}  catalogue {what}")
    for name in manifest.ignored_files:
        typer.echo(f"  ignored: {name}")
