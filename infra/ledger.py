"""The ledger: every decision about what serves, in PostgreSQL. It is the truth; MLflow's aliases follow.

Reading it needs neither MLflow nor its four seconds of imports: servers ask it what to serve.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, insert, select, text, update
from sqlalchemy.exc import OperationalError, ProgrammingError

from infra.database import engine
from infra.errors import RegistryError, ServiceError
from infra.settings import Settings
from infra.tables import ledger

#: Decisions after which another version may serve.
SEATING: Final = ("first_champion", "promote", "rollback")
WAIT_SECONDS: Final = 10


@dataclass(frozen=True)
class Entry:
    """One row of the ledger; of a seating one, ``version`` is what serves from then on."""

    id: int
    at: datetime
    actor: str
    action: str
    model: str
    version: int
    previous_version: int | None
    run_id: str
    data_digest: str
    reason: str
    verdict: dict[str, Any]
    state: str


class Ledger:
    """The decisions about one registered model; close it, or use it as a context."""

    def __init__(self, settings: Settings, model: str) -> None:
        self.model = model
        self._engine = engine(settings)

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._engine.dispose()

    def entries(self) -> list[Entry]:
        """All decisions, oldest first, whatever became of them."""
        with self._connected() as connection:
            rows = connection.execute(select(ledger).where(ledger.c.model == self.model).order_by(ledger.c.id))
            return [_entry(row) for row in rows]

    def champion(self) -> Entry | None:
        """The confirmed decision that says what serves now; None: nothing does yet."""
        query = (
            select(ledger)
            .where(ledger.c.model == self.model, ledger.c.state == "confirmed", ledger.c.action.in_(SEATING))
            .order_by(ledger.c.id.desc())
            .limit(1)
        )
        with self._connected() as connection:
            row = connection.execute(query).one_or_none()
        return _entry(row) if row is not None else None

    def intend(self, **columns: Any) -> Entry:
        """Write down a decision before anything is moved."""
        statement = insert(ledger).values(model=self.model, state="intent", **columns).returning(*ledger.c)
        with self._connected() as connection:
            return _entry(connection.execute(statement).one())

    def settle(self, entry: Entry, state: str) -> Entry:
        """Say what became of an intent: ``confirmed`` or ``failed``."""
        statement = update(ledger).where(ledger.c.id == entry.id).values(state=state).returning(*ledger.c)
        with self._connected() as connection:
            return _entry(connection.execute(statement).one())

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the right to decide; it falls back by itself when the process dies.

        Raises:
            RegistryError: another process has held it for ten seconds.
        """
        with self._connected() as connection:
            connection.execute(text(f"SET LOCAL lock_timeout = '{WAIT_SECONDS}s'"))
            try:
                connection.execute(
                    text("SELECT pg_advisory_xact_lock(hashtext(:name))"), {"name": f"ledger {self.model}"}
                )
            except OperationalError as error:
                if getattr(error.orig, "pgcode", "") != "55P03":  # lock_not_available
                    raise
                raise RegistryError(
                    f"Somebody else has been deciding about {self.model} for {WAIT_SECONDS} s.", "Try again."
                ) from error
            yield

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except OperationalError as error:
            url = self._engine.url
            said = str(error.orig).strip().splitlines()[0] if error.orig else ""
            raise ServiceError(
                f"The ledger in PostgreSQL at {url.host}:{url.port} does not answer: {said}.",
                "Start it with 'penchant up', or mend PENCHANT_POSTGRES_URL.",
            ) from error
        except ProgrammingError as error:
            if getattr(error.orig, "pgcode", "") != "42P01":  # undefined_table
                raise
            raise ServiceError("The database has no ledger yet.", "Make its tables with 'penchant up'.") from error


def seated(entries: list[Entry]) -> list[Entry]:
    """The champions one over the other, the present one last; a rollback takes the top one away."""
    stack: list[Entry] = []
    for entry in entries:
        if entry.state != "confirmed" or entry.action not in SEATING:
            continue
        if entry.action == "rollback":
            stack.pop()
        else:
            stack.append(entry)
    return stack


def _entry(row: Row[Any]) -> Entry:
    return Entry(**row._mapping)
