"""The moments to learn from: the start of every basket of a known user, and what was in it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.behaviour import OCCURRED_US
from features.events.schema import (
    CATEGORY,
    DWELL_MS,
    EVENT_ID,
    EVENT_TYPE,
    ITEM_ID,
    SESSION_ID,
    SOURCE_POSITION,
    USER_ID,
)
from features.state import Live
from infra.partitions import Span, day_start
from infra.settings import Settings

Split = Literal["train", "validation", "fresh"]
SPLITS: Final[tuple[Split, ...]] = ("train", "validation", "fresh")

MOMENT: Final = "moment"
DAY: Final = "day"
TARGETS: Final = "targets"

#: What ``Log`` needs of an event.
LOG_COLUMNS: Final = (USER_ID, ITEM_ID, CATEGORY, EVENT_TYPE, OCCURRED_US, SOURCE_POSITION, DWELL_MS, EVENT_ID)

#: Several baskets of one user may begin in one minute; each is a moment, none sees the other. ``{events}``
#: stands for the name of a table of ``features.behaviour``.
BASKETS: Final = f"""
    SELECT {USER_ID}, coalesce({SESSION_ID}, {OCCURRED_US}::VARCHAR) AS {SESSION_ID},
           make_timestamptz(min({OCCURRED_US})) AS {MOMENT}, list_sort(list(DISTINCT {ITEM_ID})) AS {TARGETS}
    FROM {{events}}
    WHERE {EVENT_TYPE} = 'purchase' AND {USER_ID} IS NOT NULL AND {ITEM_ID} IS NOT NULL
    GROUP BY ALL ORDER BY {MOMENT}, {USER_ID}, {SESSION_ID}
"""


@dataclass(frozen=True)
class Splits:
    """The days of a snapshot, split by time: what is learned from, what chooses, what judges."""

    train: Span
    validation: Span
    fresh: Span

    @classmethod
    def until(cls, through: date, first: date, settings: Settings) -> Splits:
        """Fresh: the last ``fresh_days`` up to ``through``; validation before; everything else trains."""
        end = through + timedelta(days=1)
        fresh = max(first, end - timedelta(days=settings.fresh_days))
        validation = max(first, fresh - timedelta(days=settings.validation_days))
        return cls(Span(first, validation), Span(validation, fresh), Span(fresh, end))

    def of(self, day: date) -> Split:
        """The split that holds ``day``."""
        return next(name for name in SPLITS if day in self.span(name))

    def span(self, split: Split) -> Span:
        return {"train": self.train, "validation": self.validation, "fresh": self.fresh}[split]


def days_of(moments_us: NDArray[np.int64], span: Span, settings: Settings) -> list[date]:
    """The shop's day of each moment (microseconds since 1970 UTC) within ``span``."""
    days = list(span.days())
    starts = np.array([start_us(day, settings) for day in days], dtype=np.int64)
    return [days[place] for place in np.searchsorted(starts, moments_us, side="right") - 1]


def start_us(day: date, settings: Settings) -> int:
    """The beginning of the shop's ``day``: T of all that is known from closed days."""
    return int(day_start(day, settings.zone).timestamp()) * 1_000_000


class Log:
    """Events of known users in order of time, to be asked for one user's events of one day."""

    def __init__(self, events: pa.Table) -> None:
        """Take ``events`` of known users (``LOG_COLUMNS``)."""
        known = events.sort_by([(USER_ID, "ascending"), (OCCURRED_US, "ascending"), (SOURCE_POSITION, "ascending")])
        self._times = known[OCCURRED_US].to_numpy()
        self._columns: dict[str, list[Any]] = {
            name: known[name].to_pylist()
            for name in (ITEM_ID, CATEGORY, EVENT_TYPE, SOURCE_POSITION, DWELL_MS, EVENT_ID)
        }
        users = known[USER_ID].to_numpy(zero_copy_only=False)
        names, first = np.unique(users, return_index=True) if len(users) else (users, np.array([], dtype=np.int64))
        self._range = dict(zip(names, zip(first, [*first[1:], len(users)], strict=True), strict=True))

    def between(self, user_id: str, start: int, end: int) -> list[Live]:
        """The user's events with ``start <= time < end``, microseconds since 1970 UTC."""
        low, high = self._range.get(user_id, (0, 0))
        times = self._times[low:high]
        left, right = low + np.searchsorted(times, [start, end])
        return [self._live(row) for row in range(left, right)]

    def _live(self, row: int) -> Live:
        return Live(
            self._columns[ITEM_ID][row],
            self._columns[CATEGORY][row],
            self._columns[EVENT_TYPE][row],
            int(self._times[row]),
            int(self._columns[SOURCE_POSITION][row]),
            int(self._columns[DWELL_MS][row]),
            self._columns[EVENT_ID][row],
        )
