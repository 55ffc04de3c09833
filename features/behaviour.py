"""The events of closed days as the transformations read them: with their day and their item's category."""

from __future__ import annotations

from bisect import bisect_right
from datetime import datetime
from typing import Final

import pyarrow as pa
from ibis import _

from features.catalogue import catalogue
from features.days import known_at
from features.engine import DAY, Connection, Table, micros, stored, table_of
from features.events.log import event_files
from features.events.manifest import published
from features.events.schema import (
    CATEGORY,
    DWELL_MS,
    EVENT,
    EVENT_ID,
    EVENT_TYPE,
    ITEM_ID,
    OCCURRED_AT,
    PRICE,
    QUANTITY,
    SESSION_ID,
    SOURCE_POSITION,
    USER_ID,
)
from features.files import read_days
from infra.partitions import Span
from infra.settings import Settings

OCCURRED_US: Final = "occurred_us"
SPEND: Final = "spend"
_VERSION: Final = "version"
_CATEGORIES: Final = pa.schema([(ITEM_ID, pa.string()), (CATEGORY, pa.string()), (_VERSION, pa.int64())])

#: The order of a user's events, without ties.
ORDER: Final = (OCCURRED_US, SOURCE_POSITION, EVENT_ID)


def behaviour(connection: Connection, settings: Settings, span: Span) -> Table:
    """The published events of ``span``, computed once.

    Columns: ``day``, user, session, item, ``category`` (of the catalogue as it was known when the
    day's partition was; empty for an item that it does not hold), type, ``occurred_us``, place in the
    source, id, quantity, ``spend`` (price x quantity, minor units) and dwell time; the last three are
    never null.
    """
    events = read_days(connection, event_files(settings.lake, span), EVENT)
    versions, categories = (table_of(connection, table) for table in _categories(settings, span))
    dated = events.inner_join(versions, DAY).left_join(categories, (_VERSION, ITEM_ID))
    columns = {
        CATEGORY: _[CATEGORY].fill_null(""),
        OCCURRED_US: micros(_[OCCURRED_AT]),
        QUANTITY: _[QUANTITY].fill_null(0),
        SPEND: (_[PRICE] * _[QUANTITY]).fill_null(0),
        DWELL_MS: _[DWELL_MS].fill_null(0),
    }
    keys = (DAY, USER_ID, SESSION_ID, ITEM_ID, EVENT_TYPE, SOURCE_POSITION, EVENT_ID)
    return stored(connection, dated.select(*keys, **columns))


def _categories(settings: Settings, span: Span) -> tuple[pa.Table, pa.Table]:
    """The version of the catalogue that each day knew, and the category of each item by version.

    A version lasts until the next delivery, so a span built at once sees what its days saw one by one.
    """
    known = {day: known_at(settings.lake, day) for day in span.days()}
    delivered = sorted(manifest.delivered_at for manifest in published(settings.lake) if not manifest.bulk)
    versions = {day: bisect_right(delivered, moment) for day, moment in known.items()}
    latest = {version: max(known[day] for day in known if versions[day] == version) for version in {*versions.values()}}
    tables = [_version(settings, version, moment) for version, moment in sorted(latest.items())]
    days = {DAY: pa.array(versions, pa.date32()), _VERSION: pa.array(versions.values(), pa.int64())}
    return pa.table(days), pa.concat_tables([_CATEGORIES.empty_table(), *tables])


def _version(settings: Settings, version: int, known: datetime) -> pa.Table:
    items = catalogue(settings, known).select([ITEM_ID, CATEGORY])
    return items.append_column(_VERSION, pa.array([version] * len(items), pa.int64())).cast(_CATEGORIES)
