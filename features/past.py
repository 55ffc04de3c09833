"""What the lake says about some users at past moments: the row of a closed day, and the log since.

Training reads its moments with what was known then; here somebody else says which closed day an answer
stood on, what was known of it and which later events it could know, and gets the state that follows from that.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime, timedelta
from typing import Any

import pyarrow as pa

from features.advance import advance
from features.behaviour import behaviour
from features.chain import states_before
from features.engine import Connection, table_of
from features.events.schema import USER_ID
from features.item_history import item_versions
from features.knowledge import Knowledge
from features.state import Live, UserState, from_row
from features.user_log import LOG_COLUMNS, UserLog
from features.view import EVENT_TIMESTAMP, View
from features.views import views_of
from infra.moments import microseconds
from infra.partitions import Span, day_of
from infra.settings import Settings


class Past:
    """Users' rows as the files hold them, and their events on the closed days of ``span``.

    Of rows that late deliveries changed, every version is there (``features.versions``).

    Raises:
        FeatureError: days of the span are not closed.
    """

    def __init__(self, connection: Connection, settings: Settings, users: Collection[str], span: Span) -> None:
        self._connection = connection
        self._settings = settings
        self._users = table_of(connection, pa.table({USER_ID: pa.array(sorted(set(users)), pa.string())}))
        self._views = [view for view in views_of(settings) if view.entity == USER_ID]
        self._closed = Knowledge(settings).closed
        self._rows: dict[tuple[datetime, int], dict[tuple[str, str], dict[str, Any]]] = {}
        self._log = UserLog(self._events(span))

    def events(self, user_id: str, since: datetime, moment: datetime) -> list[Live]:
        """The user's events in ``[since, moment)``, with the categories that their items had then."""
        return self._log.between(user_id, microseconds(since), microseconds(moment))

    def state(
        self, user_id: str, as_of: datetime, moment: datetime, seen: Collection[str], known: datetime
    ) -> UserState:
        """The state at ``moment`` of whoever has the rows of ``as_of`` and knows the events ``seen`` since.

        Args:
            as_of: the end of a closed day.
            seen: ids of events.
            known: the rows are those that were known by then, and at any rate when the day was.
        """
        settings = self._settings
        base = from_row(
            user_id, self._row(user_id, as_of, moment, known), settings.window_days, settings.half_life_days
        )
        events = [event for event in self.events(user_id, as_of, moment) if event.event_id in seen]
        return advance(
            base,
            events,
            microseconds(moment),
            sequence_length=settings.sequence_length,
            history_items=settings.history_items,
            session_minutes=settings.session_minutes,
        )

    def _row(self, user_id: str, as_of: datetime, moment: datetime, known: datetime) -> dict[str, Any]:
        """The columns of all user views; those that have expired at ``moment`` are left out."""
        day = day_of(as_of, self._settings.zone)
        known_us = max(microseconds(known), self._closed.get(day - timedelta(days=1), 0))
        if (as_of, known_us) not in self._rows:
            self._rows[as_of, known_us] = self._rows_of(day, known_us)
        values: dict[str, Any] = {}
        for view in self._views:
            row = self._rows[as_of, known_us].get((view.name, user_id))
            if row is not None and _holds(view, moment - row[EVENT_TIMESTAMP]):
                values |= {name: row[name] for name in view.columns}
        return values

    def _rows_of(self, day: date, known_us: int) -> dict[tuple[str, str], dict[str, Any]]:
        found: dict[tuple[str, str], dict[str, Any]] = {}
        for view in self._views:
            rows = states_before(self._connection, self._settings.lake, view, day, self._users, known_us)
            found |= {(view.name, row[USER_ID]): row for row in rows.to_pyarrow().to_pylist()}
        return found

    def _events(self, span: Span) -> pa.Table:
        """``LOG_COLUMNS`` of the users' events."""
        items = item_versions(self._connection, self._settings)
        log = behaviour(self._connection, self._settings, span, items).semi_join(self._users, USER_ID)
        found: pa.Table = log.select(*LOG_COLUMNS).to_pyarrow()
        return found


def _holds(view: View, age: timedelta) -> bool:
    return view.ttl_days is None or age <= timedelta(days=view.ttl_days)
