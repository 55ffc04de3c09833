"""Events of known users come in one order, whatever order they were read in."""

from __future__ import annotations

from itertools import permutations

import pyarrow as pa

from features.user_log import LOG_COLUMNS, UserLog


def test_events_of_one_moment_and_place_are_ordered_by_their_ids() -> None:
    # two sources may give the same place; which event comes first then decides what a sequence ends with
    rows = [("u1", f"i{name}", "mug", "view", 10, 1, 0, name) for name in "cab"]
    for told in permutations(rows):
        events = pa.Table.from_pylist([dict(zip(LOG_COLUMNS, row, strict=True)) for row in told])
        assert [event.event_id for event in UserLog(events).between("u1", 0, 11)] == ["a", "b", "c"]
