"""The inbox as a source: events posted to the API become a day's delivery like any other.

An export takes the rows from the position where the last one ended to the last position that is committed,
whatever day they are of; the ingest sorts out which are late or early. A row that lies ahead of the shop's
clock is left for the first export after its moment: an ingest would refuse it. So a mark is a position and a
moment, and an export is what lies below its mark and did not lie below the one before.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Engine, and_, cast, func, not_, select, text
from sqlalchemy.dialects.postgresql import REGCLASS
from sqlalchemy.exc import OperationalError

from features.events.exports.export import Mark, Rows, export, exports, went_back
from features.events.schema import EVENT_ID, OCCURRED_AT, SOURCE_POSITION, USER_ID
from features.events.sources.canonical import INBOX
from infra.errors import ServiceError
from infra.settings import Settings
from infra.tables import inbox

FILE_NAME: Final = "inbox.jsonl"
#: Writers queue behind the wait for those before them, and give up themselves after three seconds.
WAIT_SECONDS: Final = 2
_ROWS: Final = 10_000
_POSITION, _UNTIL = "position", "until"


def inbox_file(settings: Settings, engine: Engine, day: date) -> Path | None:
    """Export what came in since the last export into the landing folder of ``day``.

    A day is exported once; later calls return the same file.

    Returns:
        The file of JSON lines in canonical column names, or None if there was nothing.

    Raises:
        ServiceError: somebody has been writing for two seconds.
        DeliveryError: the inbox is older than what was exported from it.
        OperationalError: PostgreSQL is down.
    """
    return export(settings, settings.lake.landing_day(INBOX.name, day), FILE_NAME, partial(_beyond, settings, engine))


@contextmanager
def _beyond(settings: Settings, engine: Engine, after: Mark | None) -> Iterator[tuple[Mark, Rows]]:
    until = settings.shop_clock().now()
    last = _last_position(engine)
    if after is not None and last < after[_POSITION]:
        raise went_back("The inbox", settings.lake.landing(INBOX.name))
    mark = {_POSITION: last, _UNTIL: until.isoformat()}
    with engine.connect() as connection:
        yield mark, _rows(connection, _between(after, mark))


def exported(settings: Settings) -> Iterator[tuple[date, int, ColumnElement[bool]]]:
    """Each day that an export was made for, its last position, and the condition of the rows that it took."""
    landing = settings.lake.landing(INBOX.name)
    for folder, after, last in exports(landing):
        yield date.fromisoformat(folder.name.removeprefix("dt=")), last[_POSITION], _between(after, last)


def _between(after: Mark | None, last: Mark) -> ColumnElement[bool]:
    """What lies below the mark ``last`` and did not lie below ``after``."""
    wanted = _below(last[_POSITION], datetime.fromisoformat(last[_UNTIL]))
    if after is None:
        return wanted
    return and_(wanted, not_(_below(after[_POSITION], datetime.fromisoformat(after[_UNTIL]))))


def _below(position: int, moment: datetime) -> ColumnElement[bool]:
    return and_(inbox.c.position <= position, inbox.c.occurred_at <= moment)


def _last_position(engine: Engine) -> int:
    """The last position given out, once nobody is writing below it any more."""
    try:
        with engine.begin() as connection:
            # a reader that is stopped here must not keep writers waiting either
            for limit in ("lock_timeout", "idle_in_transaction_session_timeout"):
                connection.execute(text(f"SET LOCAL {limit} = '{WAIT_SECONDS}s'"))
            connection.execute(text(f"LOCK TABLE {inbox.name} IN SHARE MODE"))
            # of the sequence rather than the rows: it knows of rows that were deleted, and of an older copy
            sequence = cast(func.pg_get_serial_sequence(inbox.name, inbox.c.position.name), REGCLASS)
            return connection.scalar(select(func.pg_sequence_last_value(sequence))) or 0
    except OperationalError as error:
        if getattr(error.orig, "pgcode", "") != "55P03":  # lock_not_available
            raise
        raise ServiceError(
            f"Somebody has been writing to the inbox for {WAIT_SECONDS} s; nothing was exported.", "Try again."
        ) from error


def _rows(connection: Connection, wanted: ColumnElement[bool]) -> Iterator[dict[str, Any]]:
    query = select(inbox).where(wanted).order_by(inbox.c.position)
    with connection.execution_options(yield_per=_ROWS).execute(query) as found:
        for row in found.mappings():
            yield {
                **row["payload"],
                EVENT_ID: row[EVENT_ID],
                USER_ID: row[USER_ID],
                OCCURRED_AT: row[OCCURRED_AT].isoformat(),
                SOURCE_POSITION: row["position"],
            }
