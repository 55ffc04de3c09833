"""Compaction: the many small files of a closed day become one, and readers go over to it at once.

The merged file is written first, where nobody looks; then the day's partition lists it alone. The files
that it replaces stay until readers who had listed them are long done (``features.events.keeping.leftovers``).
Each day is merged under the lock of publishing, so that nobody publishes into it meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from features.events.keeping.merging import merge
from features.events.keeping.removal import weight_of
from features.events.log import listed
from infra.lake import read_json, write_json
from infra.locks import one_at_a_time
from infra.partitions import day_end
from infra.settings import Settings


@dataclass
class Compacted:
    """What a run did, or in a dry run would do.

    Attributes:
        days, files: whose files were merged, and how many those were.
        bytes_before, bytes_after: their size, and that of the merged ones (0 in a dry run).
        left: days whose files hold something else than their partition says: a publishing that was cut
            short has to be run again first.
        waiting: days beyond ``merge_days_a_run``, for the next run.
    """

    days: int = 0
    files: int = 0
    bytes_before: int = 0
    bytes_after: int = 0
    left: tuple[str, ...] = ()
    waiting: int = 0

    def add(self, files: int, before: int, after: int) -> None:
        """Count one day more."""
        self.days, self.files = self.days + 1, self.files + files
        self.bytes_before, self.bytes_after = self.bytes_before + before, self.bytes_after + after


def compact(settings: Settings, now: datetime, *, dry_run: bool = False) -> Compacted:
    """Merge the files of closed days that were over ``merge_after_days`` days before ``now``, oldest first.

    A day with one file is left as it is, so a second run changes nothing; late rows that came since add
    a file, and the next run takes them in.
    """
    done = Compacted()
    for day in scattered(settings, now):
        if done.days == settings.merge_days_a_run:
            done.waiting += 1
            continue
        files = listed(settings.lake, day).files
        before = sum(map(weight_of, files))
        if dry_run:
            done.add(len(files), before, 0)
        elif merged := _merge_day(settings, day):
            done.add(len(files), before, weight_of(merged))
        else:
            done.left = (*done.left, str(day))
    return done


def scattered(settings: Settings, now: datetime) -> list[date]:
    """Closed days, old enough, whose events lie in more than one file, in order."""
    if not settings.merge_after_days:
        return []
    last = now - timedelta(days=settings.merge_after_days)
    old = (day for day in settings.lake.closed_days() if day_end(day, settings.zone) <= last)
    return [day for day in old if len(listed(settings.lake, day).files) > 1]


def _merge_day(settings: Settings, day: date) -> Path | None:
    """Swap the files of a day for one; None: they are not what its partition says."""
    with one_at_a_time(settings, "publish"):
        partition: dict[str, Any] = read_json(settings.lake.partition(day))
        path = merge(settings, day, listed(settings.lake, day).files)
        said = partition.get("digest")  # a partition that was closed before there were digests has none
        if said is not None and path != settings.lake.merged(day, said):
            return None
        write_json(settings.lake.partition(day), {**partition, "files": [path.name]})
    return path
