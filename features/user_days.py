"""What a user's day came to over events of all types: how many sessions it had."""

from __future__ import annotations

from typing import Final

import pyarrow as pa
from ibis import _

from features.behaviour import OCCURRED_US
from features.daily import Daily
from features.decay import MINUTE_US
from features.engine import DAY, Table
from features.events.schema import USER_ID
from infra.settings import Settings

SESSIONS: Final = "sessions"
SCHEMA: Final = pa.schema([(USER_ID, pa.string()), (DAY, pa.date32()), (SESSIONS, pa.int64())])


def user_days(events: Table, settings: Settings) -> Table:
    """One row per known user and day with an event (columns ``SCHEMA``).

    A session ends where the user does nothing for ``session_minutes``, and with the day.
    """
    pause = settings.session_minutes * MINUTE_US
    known = events.filter(_[USER_ID].notnull())
    # lists of a day are put in order in less than half the time that a window over all events takes
    days = known.group_by(USER_ID, DAY).agg(times=_[OCCURRED_US].collect(order_by=OCCURRED_US))
    begins = days.times.filter(lambda at, place: (place > 0) & (at - days.times[place - 1] >= pause))
    return days.select(USER_ID, DAY, **{SESSIONS: begins.length() + 1})


USER_DAYS: Final = Daily("user_days", SCHEMA, (USER_ID,), user_days)
