"""Events of known users, to be asked for one user's events between two moments."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pyarrow as pa

from features.behaviour import OCCURRED_US, ORDER
from features.events.schema import CATEGORY, DWELL_MS, EVENT_ID, EVENT_TYPE, ITEM_ID, SOURCE_POSITION, USER_ID
from features.state import Live

#: Of an event that came after its day was closed: when it came, microseconds since 1970 UTC; 0: it did not.
LATE_US: Final = "late_us"
#: What ``UserLog`` needs of an event.
LOG_COLUMNS: Final = (USER_ID, ITEM_ID, CATEGORY, EVENT_TYPE, OCCURRED_US, SOURCE_POSITION, DWELL_MS, EVENT_ID)


class UserLog:
    """Events of known users in order of time."""

    def __init__(self, events: pa.Table) -> None:
        """Take ``events`` of known users (``LOG_COLUMNS``, and ``LATE_US`` if any was late)."""
        known = events.sort_by([(column, "ascending") for column in (USER_ID, *ORDER)])
        self._times = known[OCCURRED_US].to_numpy()
        never = np.zeros(len(known), dtype=np.int64)
        self._late = known[LATE_US].to_numpy() if LATE_US in known.column_names else never
        self._columns: dict[str, list[Any]] = {
            name: known[name].to_pylist()
            for name in (ITEM_ID, CATEGORY, EVENT_TYPE, SOURCE_POSITION, DWELL_MS, EVENT_ID)
        }
        users = known[USER_ID].to_numpy(zero_copy_only=False)
        names, first, counts = np.unique(users, return_index=True, return_counts=True)
        self._range = dict(zip(names, zip(first, first + counts, strict=True), strict=True))

    def between(self, user_id: str, start: int, end: int) -> list[Live]:
        """The user's events with ``start <= time < end`` that were known by ``end``, microseconds since 1970 UTC."""
        low, high = self._range.get(user_id, (0, 0))
        times = self._times[low:high]
        left, right = low + np.searchsorted(times, [start, end])
        return [self._live(row) for row in range(left, right) if self._late[row] <= end]

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
