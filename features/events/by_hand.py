"""Files that somebody names: taken as a delivery, whose source and days are found in them where they are not said."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from features.events.delivery import delivery_id, describe, known_since
from features.events.ingest import ingest
from features.events.manifest import Manifest
from features.events.reading.fetch import bring
from features.events.reading.guess import find_source, find_span
from infra.partitions import Span
from infra.settings import Settings
from infra.spill import spilling


def take_files(
    settings: Settings,
    places: Sequence[str],
    *,
    source: str | None = None,
    span: Span | None = None,
    bulk: bool = True,
    say: Callable[[str], None] = print,
) -> Manifest:
    """Stage what lies at ``places`` (paths, folders, globs, URLs) as one delivery.

    Args:
        source: name of the adapter; None: found from the files' columns.
        span: the days that it is for; None: all of those in it, as a bulk history.
        bulk: whether ``span`` is a history rather than a day that has just ended.
        say: told what a person should know about days that were found.

    Raises:
        DeliveryError: nothing is there, it cannot be read as a whole, or it does not say where it comes from.
    """
    with spilling(settings) as folder:
        brought = bring(places, folder)
        described = describe(brought.files, settings.unpacked_bytes)  # before anything unpacks them
        named = source or find_source(settings, brought.files).name
        days = span if span is not None else find_span(settings, named, brought.files, say)
        delivery = delivery_id(named, described, days)
        return ingest(
            settings,
            named,
            brought.files,
            days,
            bulk=bulk,
            delivered_at=known_since(settings, delivery, None),
            ignored_files=brought.ignored,
        )
