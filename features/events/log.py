"""Which files hold the events of a day.

Readers take those that the partition of a closed day lists (``event_files``). Ingest also looks at what
no partition lists yet (``present``): early rows, and deliveries whose publishing was cut short before
it closed the day.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from infra.errors import FeatureError
from infra.lake import Lake, read_json
from infra.partitions import Span


@dataclass(frozen=True)
class DayFiles:
    """The files with events of one day.

    Attributes:
        own: files that one delivery brought, named after it.
        merged: files that hold the rows of several deliveries.
        inside: the deliveries whose rows are in ``merged``, those without a row too.
    """

    own: tuple[Path, ...] = ()
    merged: tuple[Path, ...] = ()
    inside: frozenset[str] = frozenset()

    @property
    def files(self) -> list[Path]:
        return sorted([*self.own, *self.merged])

    @property
    def deliveries(self) -> list[str]:
        return sorted({*self.inside, *(path.stem for path in self.own)})


def event_files(lake: Lake, span: Span) -> list[Path]:
    """Files with the published events of every day of ``span``, by day, then name.

    Every closed day has at least one; that of an empty day has the schema and no rows. A file that is
    replaced stays for a day and longer, so that whoever has listed it can still read it.

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
    return [path for day in span.days() for path in listed(lake, day).files]


def published_files(lake: Lake, span: Span) -> list[Path]:
    """As ``event_files``, of those days of ``span`` that are closed."""
    return [path for day in span.days() for path in listed(lake, day).files]


def listed(lake: Lake, day: date) -> DayFiles:
    """The files that the partition of ``day`` lists; none of a day that is not closed."""
    if not lake.partition(day).exists():
        return DayFiles()
    partition = read_json(lake.partition(day))
    deliveries = set(partition["deliveries"])
    # a partition that was closed before there were merged files lists none: each delivery has its own
    names = partition.get("files", [lake.events(day, delivery).name for delivery in deliveries])
    paths = [lake.events_day(day) / name for name in sorted(names)]
    own = tuple(path for path in paths if path.stem in deliveries)
    merged = tuple(path for path in paths if path.stem not in deliveries)
    return DayFiles(own, merged, frozenset(deliveries - {path.stem for path in own}))


def present(lake: Lake, day: date) -> DayFiles:
    """The files that hold events of ``day``, listed or not yet.

    A delivery without a manifest was being published when somebody died: its file holds nothing until
    the publishing is run again. Nor does the own file of a delivery whose rows were merged.
    """
    known = listed(lake, day)
    own = tuple(
        path
        for path in sorted(lake.events_day(day).glob("*.parquet"))
        if path.stem not in known.inside and lake.manifest(path.stem).exists()
    )
    return DayFiles(own, known.merged, known.inside)
