"""What the lake says about some users at past moments: the row of a closed day, and the log since.

Training reads its moments with what was known then; here somebody else says which closed day an answer
stood on and which later events it could know, and gets the state that follows from that.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any, Final

import pyarrow as pa

from features.advance import advance
from features.behaviour import OCCURRED_US, behaviour
from features.chain import states_before
from features.engine import DAY, Connection, micros, table_of
from features.events.log import event_files
from features.events.schema import EVENT, EVENT_ID, INGESTED_ASSUMED, INGESTED_AT, USER_ID
from features.files import read_days
from features.item_history import item_versions
from features.state import Live, UserState, from_row
from features.user_log import LOG_COLUMNS, UserLog
from features.view import EVENT_TIMESTAMP, View
from features.views import views_of
from infra.moments import microseconds
from infra.partitions import Span, day_of
from infra.settings import Settings

_TAKEN_US: Final = "taken_us"


class Past:
    """Users' rows as the files hold them, and their events on the closed days of ``span``.

    Rows are those of the last build: of a user of whom an event came late (``came_later``) they may say more than was
    known.

    Raises:
        FeatureError: days of the span are not closed.
    """

    def __init__(self, connection: Connection, settings: Settings, users: Collection[str], span: Span) -> None:
        self._connection = connection
        self._settings = settings
        self._users = table_of(connection, pa.table({USER_ID: pa.array(sorted(set(users)), pa.string())}))
        self._views = [view for view in views_of(settings) if view.entity == USER_ID]
        self._rows: dict[datetime, dict[tuple[str, str], dict[str, Any]]] = {}
        events = self._events(span)
        self._log = UserLog(events)
        self._times: dict[str, list[tuple[int, int]]] = {}
        columns = (events[name].to_pylist() for name in (USER_ID, OCCURRED_US, _TAKEN_US))
        for user, occurred, taken_in in zip(*columns, strict=True):
            self._times.setdefault(user, []).append((occurred, taken_in))

    def events(self, user_id: str, since: datetime, moment: datetime) -> list[Live]:
        """The user's events in ``[since, moment)``, with the categories that their items had then."""
        return self._log.between(user_id, microseconds(since), microseconds(moment))

    def came_later(self, user_id: str, before: datetime, known: datetime) -> bool:
        """Whether the log has an event of the user from before ``before`` that was taken in after ``known``.

        Of a bulk history nobody knows when it was taken in, and it never was later.
        """
        until, since = microseconds(before), microseconds(known)
        return any(occurred < until and taken_in > since for occurred, taken_in in self._times.get(user_id, ()))

    def state(self, user_id: str, as_of: datetime, moment: datetime, seen: Collection[str]) -> UserState:
        """The state at ``moment`` of whoever has the rows of ``as_of`` and knows the events ``seen`` since.

        Args:
            as_of: the end of a closed day.
            seen: ids of events.
        """
        settings = self._settings
        base = from_row(user_id, self._row(user_id, as_of, moment), settings.window_days, settings.half_life_days)
        events = [event for event in self.events(user_id, as_of, moment) if event.event_id in seen]
        return advance(
            base,
            events,
            microseconds(moment),
            sequence_length=settings.sequence_length,
            history_items=settings.history_items,
            session_minutes=settings.session_minutes,
        )

    def _row(self, user_id: str, as_of: datetime, moment: datetime) -> dict[str, Any]:
        """The columns of all user views; those that have expired at ``moment`` are left out."""
        if as_of not in self._rows:
            self._rows[as_of] = self._rows_of(as_of)
        values: dict[str, Any] = {}
        for view in self._views:
            row = self._rows[as_of].get((view.name, user_id))
            if row is not None and _holds(view, moment - row[EVENT_TIMESTAMP]):
                values |= {name: row[name] for name in view.columns}
        return values

    def _rows_of(self, as_of: datetime) -> dict[tuple[str, str], dict[str, Any]]:
        found: dict[tuple[str, str], dict[str, Any]] = {}
        for view in self._views:
            day = day_of(as_of, self._settings.zone)
            rows = states_before(self._connection, self._settings.lake, view, day, self._users)
            found |= {(view.name, row[USER_ID]): row for row in rows.to_pyarrow().to_pylist()}
        return found

    def _events(self, span: Span) -> pa.Table:
        """``LOG_COLUMNS`` of the users' events, and when each was taken in; 0 where that is assumed."""
        items = item_versions(self._connection, self._settings)
        log = behaviour(self._connection, self._settings, span, items).semi_join(self._users, USER_ID)
        taken = read_days(self._connection, event_files(self._settings.lake, span), EVENT)
        taken_in = taken[INGESTED_ASSUMED].ifelse(0, micros(taken[INGESTED_AT]))
        taken = taken.select(DAY, EVENT_ID, **{_TAKEN_US: taken_in})
        found: pa.Table = log.inner_join(taken, (DAY, EVENT_ID)).select(*LOG_COLUMNS, _TAKEN_US).to_pyarrow()
        return found


def _holds(view: View, age: timedelta) -> bool:
    return view.ttl_days is None or age <= timedelta(days=view.ttl_days)
