"""What a user's day came to over events of all types: ``features.day_counts``."""

from __future__ import annotations

from typing import Final

import pyarrow as pa
from ibis import _

from features.behaviour import OCCURRED_US
from features.daily import Daily
from features.day_counts import DAY_COUNTS
from features.engine import DAY, Table
from features.events.schema import USER_ID
from infra.settings import Settings

SCHEMA: Final = pa.schema([(USER_ID, pa.string()), (DAY, pa.date32()), *((one.name, pa.int64()) for one in DAY_COUNTS)])


def user_days(events: Table, settings: Settings) -> Table:
    """One row per known user and day with an event (columns ``SCHEMA``)."""
    known = events.filter(_[USER_ID].notnull())
    # lists of a day are put in order in less than half the time that a window over all events takes
    read = sorted({column for one in DAY_COUNTS for column in one.reads})
    days = known.group_by(USER_ID, DAY).agg(**{name: _[name].collect(order_by=OCCURRED_US) for name in read})
    return days.select(USER_ID, DAY, **{one.name: one.of(days, settings) for one in DAY_COUNTS})


USER_DAYS: Final = Daily("user_days", SCHEMA, (USER_ID,), user_days)
