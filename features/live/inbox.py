"""The writing side of the inbox: events are in PostgreSQL before anybody is told that they were taken."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from sqlalchemy import Connection, Engine, event, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from features.events.schema import DWELL_MS, EVENT_ID, EVENT_TYPE, ITEM_ID, OCCURRED_AT, USER_ID
from features.live.entry import Entry
from features.live.event import LiveEvent
from infra.errors import DeliveryError, ServiceError
from infra.moments import microseconds, moment_of
from infra.tables import inbox

DOWN: Final = (OperationalError, InterfaceError, PoolTimeout)
CONNECT_SECONDS: Final = 2  # libpq knows no shorter one
STATEMENT_MS: Final = 3000


_AGAIN: Final = "Send them again: what has an id of its own counts once."


class IdsTaken(DeliveryError):
    """Ids of events (``ids``, in order) that belong to other events already."""

    def __init__(self, ids: Sequence[str]) -> None:
        super().__init__(f"{len(ids)} of the ids belong to other events already, {ids[0]!r} first; nothing was stored.")
        self.ids = ids


@dataclass(frozen=True)
class Filed:
    """What became of one event."""

    event_id: str
    status: Literal["accepted", "duplicate"]
    user_id: str | None
    live: LiveEvent


class Inbox:
    """The table ``inbox``, through an engine that it owns; waits a few seconds at most."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        engine.hide_parameters = True  # an error's text goes to the log, and ids must not
        event.listen(engine, "do_connect", _be_brief)

    def file(self, entries: Sequence[Entry], received_at: datetime) -> list[Filed]:
        """Store events, all or none; returns what became of each, in order.

        Raises:
            IdsTaken: ids belong to other events; nothing was stored.
            ServiceError: PostgreSQL is down. Nothing was stored, but for a failure while committing, where
                sending it again tells.
        """
        try:
            with self._engine.begin() as connection:
                return _file(connection, entries, received_at)
        except DOWN as error:
            raise ServiceError("Events cannot be stored now: the database does not answer.", _AGAIN) from error

    def since(self, user_id: str, since_us: int, most: int) -> list[LiveEvent]:
        """The user's last ``most`` events at or after ``since_us``, oldest first.

        Raises:
            OperationalError, InterfaceError, TimeoutError: PostgreSQL is down (``DOWN``).
        """
        columns = (inbox.c.position, inbox.c.occurred_at, inbox.c.payload)
        query = (
            select(*columns)
            .where(inbox.c.user_id == user_id, inbox.c.occurred_at >= moment_of(since_us))
            .order_by(inbox.c.occurred_at.desc(), inbox.c.position.desc())
            .limit(most)
        )
        with self._engine.connect() as connection:
            rows = connection.execute(query).all()
        return [_live(row.payload, row.position) for row in reversed(rows)]

    def ping(self) -> None:
        with self._engine.connect() as connection:
            connection.execute(text("SELECT 1"))

    def close(self) -> None:
        self._engine.dispose()


def _file(connection: Connection, entries: Sequence[Entry], received_at: datetime) -> list[Filed]:
    first = _first_of_each(entries)
    rows = [
        {EVENT_ID: entry.event_id, USER_ID: entry.user_id, OCCURRED_AT: entry.occurred_at, "payload": entry.payload}
        for entry in first.values()
    ]
    statement = insert(inbox).on_conflict_do_nothing(index_elements=[EVENT_ID])
    values = [{**row, "received_at": received_at} for row in rows]
    new = connection.execute(statement.values(values).returning(inbox.c.event_id, inbox.c.position)).all()
    positions = {row.event_id: row.position for row in new}
    stored = _stored(connection, first.keys() - positions.keys())
    _refuse_other_content(first, stored)
    result, told = [], set(stored)
    for entry in entries:
        payload, position = stored.get(entry.event_id) or (first[entry.event_id].payload, positions[entry.event_id])
        status: Literal["accepted", "duplicate"] = "duplicate" if entry.event_id in told else "accepted"
        told.add(entry.event_id)
        result.append(Filed(entry.event_id, status, entry.user_id, _live(payload, position)))
    return result


def _first_of_each(entries: Iterable[Entry]) -> dict[str, Entry]:
    """Entries by id; a request may repeat an event, but not its id with other content."""
    first: dict[str, Entry] = {}
    for entry in entries:
        if not entry.same_as(first.setdefault(entry.event_id, entry).payload):
            raise IdsTaken([entry.event_id])
    return first


def _stored(connection: Connection, ids: Iterable[str]) -> dict[str, tuple[dict[str, Any], int]]:
    query = select(inbox.c.event_id, inbox.c.payload, inbox.c.position).where(inbox.c.event_id.in_(list(ids)))
    return {row.event_id: (row.payload, row.position) for row in connection.execute(query)}


def _refuse_other_content(entries: dict[str, Entry], stored: dict[str, tuple[dict[str, Any], int]]) -> None:
    taken = sorted(event_id for event_id, (payload, _) in stored.items() if not entries[event_id].same_as(payload))
    if taken:
        raise IdsTaken(taken)


def _live(payload: dict[str, Any], position: int) -> LiveEvent:
    return LiveEvent(
        event_id=payload[EVENT_ID],
        item_id=payload.get(ITEM_ID),
        event_type=payload[EVENT_TYPE],
        occurred_us=microseconds(datetime.fromisoformat(payload[OCCURRED_AT])),
        position=position,
        dwell_ms=payload.get(DWELL_MS, 0),
    )


def _be_brief(dialect: Any, record: Any, arguments: Any, parameters: dict[str, Any]) -> None:  # noqa: ARG001 (SQLAlchemy)
    # a process that is stopped in the midst of a write would keep the reader of the inbox waiting
    options = f"-c statement_timeout={STATEMENT_MS} -c idle_in_transaction_session_timeout={STATEMENT_MS}"
    parameters |= {"connect_timeout": CONNECT_SECONDS, "tcp_user_timeout": STATEMENT_MS, "options": options}
