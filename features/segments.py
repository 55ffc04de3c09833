"""What the users of a segment did on a day: of a country, a campaign, a source. Windows of it serve whoever is new.

A segment is named after its column and value, ``country=Norway``, so that one entity holds all of them.
"""

from __future__ import annotations

from functools import reduce
from typing import Final

import ibis
import pyarrow as pa
from ibis import _

from features.behaviour import OCCURRED_US
from features.daily import Daily
from features.engine import DAY, Table
from features.events.schema import EVENT_TYPE, IS_BOT, USER_ID
from features.tiles import COUNT, LAST_US
from features.window_views import SEGMENT
from infra.settings import Settings

_KEYS: Final = (SEGMENT, USER_ID, EVENT_TYPE, IS_BOT)
SCHEMA: Final = pa.schema(
    [
        *(pa.field(key, pa.bool_() if key == IS_BOT else pa.string()) for key in _KEYS),
        pa.field(DAY, pa.date32()),
        pa.field(COUNT, pa.int64()),
        pa.field(LAST_US, pa.int64()),
    ]
)


def segments(events: Table, settings: Settings) -> Table:
    """One row per segment, user (null: guests), type and day (columns ``SCHEMA``)."""
    return reduce(lambda one, other: one.union(other), (_of(events, column) for column in settings.segments))


def segment_of(column: str, value: str) -> str:
    """The name of a segment: users whose events say ``value`` in ``column``."""
    return f"{column}={value}"


def _of(events: Table, column: str) -> Table:
    said = events.filter(_[column].notnull()).group_by(column, *_KEYS[1:], DAY)
    counts = said.agg(**{COUNT: _.count(), LAST_US: _[OCCURRED_US].max()})
    return counts.mutate(**{SEGMENT: ibis.literal(segment_of(column, "")) + counts[column]}).select(*SCHEMA.names)


SEGMENTS: Final = Daily("segments", SCHEMA, _KEYS, segments)
