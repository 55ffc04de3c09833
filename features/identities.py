"""Who a guest is: a login ties the events of its session to the user.

From the login on, on its day and the day after, rows of the session without a user are the user's; with the
setting ``tie_backwards`` also those before the first login of the session, on its day and the day before.
Events stay as they came: the tie is made whenever they are read, so it does not matter in which order rows
and logins arrive.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import ibis
from ibis import _

from features.engine import DAY, Connection, Table, micros, stored
from features.events.log import published_files
from features.events.schema import (
    EVENT,
    EVENT_ID,
    EVENT_TYPE,
    INGESTED_AT,
    OCCURRED_AT,
    SESSION_ID,
    SOURCE_POSITION,
    USER_ID,
)
from features.files import read_days
from infra.partitions import Span
from infra.settings import Settings

LOGIN: Final = "login"
_TIED: Final = "tied_user"
_AT: Final = "login_us"
_PLACE: Final = "login_position"


def reach(settings: Settings, span: Span) -> Span:
    """The days whose logins say who the guests of ``span`` are."""
    after = timedelta(days=1 if settings.tie_backwards else 0)
    return Span(span.start - timedelta(days=1), span.end + after)


def known_by(events: Table, as_of_us: int | None) -> Table:
    """Those of ``events`` that were known by a moment, microseconds since 1970 UTC; None: all."""
    return events if as_of_us is None else events.filter(micros(_[INGESTED_AT]) <= as_of_us)


def tied(connection: Connection, settings: Settings, span: Span, events: Table, as_of_us: int | None) -> Table:
    """``events`` of ``span`` (with ``day`` and the columns of ``EVENT``), guests named where a login says so.

    Args:
        as_of_us: only logins that were known by this moment, microseconds since 1970 UTC; None: all.
    """
    files = published_files(settings.lake, reach(settings, span))
    logins = known_by(read_days(connection, files, EVENT), as_of_us).filter(
        _[EVENT_TYPE] == LOGIN, _[USER_ID].notnull(), _[SESSION_ID].notnull()
    )
    logins = stored(
        connection,
        logins.select(
            SESSION_ID,
            **{_TIED: _[USER_ID], _AT: micros(_[OCCURRED_AT]), _PLACE: _[SOURCE_POSITION], "login_day": _[DAY]},
        ),
    )
    if logins.count().execute() == 0:
        return events
    names = stored(connection, _names(settings, events, logins))
    known = events.left_join(names, (DAY, EVENT_ID))
    return known.select(
        *(name for name in events.columns if name != USER_ID), **{USER_ID: ibis.coalesce(_[USER_ID], _[_TIED])}
    ).select(*events.columns)


def _names(settings: Settings, events: Table, logins: Table) -> Table:
    """The user of every guest's row that a login names: ``day``, ``event_id``, ``tied_user``."""
    guests = events.filter(_[USER_ID].isnull(), _[SESSION_ID].notnull())
    guests = guests.select(DAY, EVENT_ID, SESSION_ID, SOURCE_POSITION, at=micros(_[OCCURRED_AT]))
    pairs = guests.inner_join(logins, SESSION_ID).mutate(
        since=(_.at > _[_AT]) | ((_.at == _[_AT]) & (_[SOURCE_POSITION] >= _[_PLACE])),
        days=_[DAY].epoch_days() - _.login_day.epoch_days(),
    )
    after = pairs.filter(_.since, _.days.isin((0, 1)))
    latest = ibis.window(group_by=(DAY, EVENT_ID), order_by=(_[_AT].desc(), _[_PLACE].desc(), _[_TIED]))
    found = _first(after, latest)
    if not settings.tie_backwards:
        return found
    before = pairs.filter(~_.since, _.days.isin((0, -1))).anti_join(found, (DAY, EVENT_ID))
    earliest = ibis.window(group_by=(DAY, EVENT_ID), order_by=(_[_AT], _[_PLACE], _[_TIED]))
    return found.union(_first(before, earliest))


def _first(pairs: Table, order: ibis.expr.builders.WindowBuilder) -> Table:
    ranked = pairs.mutate(place=ibis.row_number().over(order))
    return ranked.filter(_.place == 0).select(DAY, EVENT_ID, _TIED)
