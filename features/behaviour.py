"""The events of closed days as the transformations read them: with their day and their item's category."""

from __future__ import annotations

from typing import Final

from ibis import _

from features.engine import DAY, Connection, Table, micros, stored
from features.events.log import event_files
from features.events.schema import (
    CAMPAIGN,
    CATEGORY,
    COUNTRY,
    DWELL_MS,
    EVENT,
    EVENT_ID,
    EVENT_TYPE,
    INGESTED_AT,
    IS_BOT,
    ITEM_ID,
    OCCURRED_AT,
    PRICE,
    QUANTITY,
    SESSION_ID,
    SOURCE,
    SOURCE_POSITION,
    USER_ID,
)
from features.files import read_days
from features.identities import known_by, tied
from features.item_history import SINCE_US, UNTIL_US
from infra.partitions import Span
from infra.settings import Settings

OCCURRED_US: Final = "occurred_us"
KNOWN_US: Final = "known_us"
SPEND: Final = "spend"

#: The order of a user's events, without ties.
ORDER: Final = (OCCURRED_US, SOURCE_POSITION, EVENT_ID)


def behaviour(
    connection: Connection, settings: Settings, span: Span, versions: Table, as_of_us: int | None = None
) -> Table:
    """The published events of ``span``, computed once.

    Columns: ``day``, user (guests named where a login says who they are), session, item, ``category`` (of the
    item as it was at that moment; empty where nobody named it), type, ``occurred_us``, ``known_us`` (when it came),
    place in the source, id, quantity, ``spend`` (price x quantity, minor units), dwell time, whether a bot did
    it, source, country and campaign; quantity, spend and dwell time are never null.

    Args:
        versions: ``features.item_history.item_versions``.
        as_of_us: only what was known by this moment, microseconds since 1970 UTC; None: everything.
    """
    events = known_by(read_days(connection, event_files(settings.lake, span), EVENT), as_of_us)
    known = tied(connection, settings, span, events, as_of_us).mutate(
        **{OCCURRED_US: micros(_[OCCURRED_AT]), KNOWN_US: micros(_[INGESTED_AT])}
    )
    items = versions.select(ITEM_ID, SINCE_US, UNTIL_US, CATEGORY)
    as_it_was = (
        known[ITEM_ID] == items[ITEM_ID],
        known[OCCURRED_US] >= items[SINCE_US],
        known[OCCURRED_US] < items[UNTIL_US],
    )
    described = known.left_join(items, as_it_was)
    columns = {
        CATEGORY: _[CATEGORY].fill_null(""),
        QUANTITY: _[QUANTITY].fill_null(0),
        SPEND: (_[PRICE] * _[QUANTITY]).fill_null(0),
        DWELL_MS: _[DWELL_MS].fill_null(0),
    }
    who = (USER_ID, SESSION_ID, IS_BOT, SOURCE, COUNTRY, CAMPAIGN)
    kept = (DAY, *who, ITEM_ID, EVENT_TYPE, OCCURRED_US, KNOWN_US, SOURCE_POSITION, EVENT_ID)
    return stored(connection, described.select(*kept, **columns))
