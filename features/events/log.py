"""The one way to read events: the files of closed days."""

from __future__ import annotations

from pathlib import Path

from infra.errors import FeatureError
from infra.lake import Lake, read_json
from infra.partitions import Span


def event_files(lake: Lake, span: Span) -> list[Path]:
    """Files with the published events of every day of ``span``, by day, then delivery.

    Every closed day has at least one; that of an empty day has the schema and no rows.

    Raises:
        FeatureError: days of the span are not closed; the message names them.
    """
    open_days = [day for day in span.days() if not lake.partition(day).exists()]
    if open_days:
        named = ", ".join(str(day) for day in open_days[:5]) + (" …" if len(open_days) > 5 else "")
        raise FeatureError(
            f"{len(open_days)} of the {len(span)} days {span} are not closed: {named}.",
            "Ingest them, or release them with 'penchant skip DAY --reason …'.",
        )
    return [
        lake.events(day, delivery) for day in span.days() for delivery in read_json(lake.partition(day))["deliveries"]
    ]


def published_files(lake: Lake, span: Span) -> list[Path]:
    """As ``event_files``, of those days of ``span`` that are closed."""
    closed = [Span.of_day(day) for day in span.days() if lake.partition(day).exists()]
    return [path for day in closed for path in event_files(lake, day)]
