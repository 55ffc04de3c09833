"""Which days were issued anew, after events of days before them had changed.

A day is another one if a window of it holds a changed day, or if its own rows of a chained view (interest,
sequence, item history), which reach back further than any window, came out different. Decayed interest agrees
to 1e-9 however it was computed, so it differs only beyond that.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from features.days import built_days, changed_days
from features.versions import files_of
from features.view import CREATED_TIMESTAMP
from features.views import CHAINED
from features.window_views import horizon_days
from infra.partitions import Span
from infra.settings import Settings
from infra.spill import spilling

_AGREE: Final = 1e-9


@dataclass(frozen=True)
class Watch:
    """What was issued before a build; asked afterwards, which days are not what they were."""

    settings: Settings
    held: frozenset[date]
    kept: Path
    days: Sequence[date]

    def reissued(self) -> list[date]:
        """Days issued before that are others now, in order."""
        return [day for day in self.days if day in self.held or self._differs(day)]

    def _differs(self, day: date) -> bool:
        return any(self._other(view, day) for view in CHAINED)

    def _other(self, view: str, day: date) -> bool:
        """Whether a view's rows of a day, or later versions of them, are not what they were."""
        now = {path.name: path for path in files_of(self.settings.lake, view, Span.of_day(day))}
        before = {path.name: path for path in (self.kept / view).glob(f"dt={day}.*")}
        return now.keys() != before.keys() or any(not _agree(before[name], path) for name, path in now.items())


@contextmanager
def watching(settings: Settings, own: Span, whole: Span) -> Iterator[Watch]:
    """Remember what was issued of ``whole``, but for ``own``, while it is built again."""
    days = [day for day in built_days(settings) if day in whole and day not in own]
    window = timedelta(days=horizon_days(settings.window_days))
    changed = changed_days(settings)
    held = frozenset(day for day in days if any(other <= day < other + window for other in changed))
    with spilling(settings) as folder:
        for view in CHAINED:
            (folder / view).mkdir()
            for path in (path for day in days for path in files_of(settings.lake, view, Span.of_day(day))):
                # a build replaces files, so a second name keeps the old one without a copy
                os.link(path, folder / view / path.name)
        yield Watch(settings, held, folder, days)


def _agree(old: Path, new: Path) -> bool:
    """Whether two files say the same, whenever it could be known."""
    if old.read_bytes() == new.read_bytes():
        return True
    one, other = (pq.read_table(path).drop_columns([CREATED_TIMESTAMP]) for path in (old, new))
    if len(one) != len(other):
        return False
    return all(_same(one[name].combine_chunks(), other[name].combine_chunks()) for name in one.column_names)


def _same(one: pa.Array, other: pa.Array) -> bool:
    if pa.types.is_list(one.type) and pa.types.is_floating(one.type.value_type):
        return bool(one.value_lengths().equals(other.value_lengths())) and _same(one.flatten(), other.flatten())
    if not pa.types.is_floating(one.type):
        return bool(one.equals(other))
    return len(one) == len(other) and bool(np.allclose(one.to_numpy(), other.to_numpy(), rtol=_AGREE, atol=_AGREE))
