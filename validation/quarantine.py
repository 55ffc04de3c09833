"""The quarantine, to read: rows that were refused, with the original and every reason, and what became of them.

Refused rows lie in the files of their deliveries and never change. What somebody decides about them is
written beside: a row is open until it is replayed or dropped. A row that comes again with another delivery
(a part of it, another cut) is repeated: it is decided about where it was refused first.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Literal
from uuid import uuid4

import duckdb
import pyarrow as pa

from features.events.reading.parsed import DAY, ORIGINAL, POSITION, REASONS
from features.events.schema import DELIVERY_ID, EVENT_ID
from features.events.scratch import read_parquet, text
from features.events.staging import REFUSED
from features.files import write_table
from infra.errors import DeliveryError
from infra.lake import Lake

State = Literal["open", "repeated", "replayed", "dropped"]
STATE: Final = "state"
AT: Final = "decided_at"
ACTOR: Final = "actor"
WHY: Final = "why"
INTO: Final = "replayed_into"
_SAID: Final = (AT, ACTOR, WHY, INTO)

DECISION: Final = pa.schema(
    [
        pa.field(DELIVERY_ID, pa.string(), nullable=False),
        pa.field(POSITION, pa.int64(), nullable=False),
        pa.field(STATE, pa.string(), nullable=False),
        pa.field(AT, pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field(ACTOR, pa.string(), nullable=False),
        pa.field(WHY, pa.string(), nullable=False),
        pa.field(INTO, pa.string()),  # the delivery that a replayed row came in with
    ]
)
#: The columns of the quarantine as a table.
QUARANTINE: Final = pa.schema(
    [*REFUSED, pa.field(STATE, pa.string()), *(field.with_nullable(True) for field in list(DECISION)[3:])]
)


@dataclass(frozen=True)
class Which:
    """Which refused rows: of a delivery, with a rule among their reasons, of a day, in a state; all by default.

    Attributes:
        row: ``DELIVERY:POSITION``, one row.
    """

    delivery: str | None = None
    rule: str | None = None
    day: str | None = None
    row: str | None = None
    state: State | None = "open"

    @property
    def condition(self) -> str:
        """SQL over the quarantine's columns.

        Raises:
            DeliveryError: ``row`` does not name one.
        """
        parts = ["true"]
        parts += [f"{DELIVERY_ID} = {text(self.delivery)}"] if self.delivery else []
        parts += [f"list_contains({REASONS}, {text(self.rule)})"] if self.rule else []
        parts += [f"CAST({DAY} AS VARCHAR) = {text(self.day)}"] if self.day else []
        parts += [f"{STATE} = {text(self.state)}"] if self.state else []
        if self.row:
            delivery, _, position = self.row.rpartition(":")
            if not delivery or not position.isdecimal():
                raise DeliveryError(
                    f"{self.row!r} names no refused row.", "Name one as the list does: DELIVERY:POSITION."
                )
            parts += [f"{DELIVERY_ID} = {text(delivery)} AND CAST({POSITION} AS VARCHAR) = {text(position)}"]
        return " AND ".join(parts)


def refused(lake: Lake, which: Which = Which(state=None), limit: int | None = None) -> pa.Table:
    """Refused rows by delivery and position, with what became of them (schema ``QUARANTINE``)."""
    most = f"LIMIT {limit}" if limit is not None else ""
    with _opened(lake) as connection:
        columns = ", ".join(QUARANTINE.names)
        found = connection.sql(
            f"SELECT {columns} FROM quarantine WHERE {which.condition} ORDER BY {DELIVERY_ID}, {POSITION} {most}"
        ).to_arrow_table()
    return found.cast(QUARANTINE)


def by_reason(lake: Lake, which: Which = Which(state=None)) -> dict[str, int]:
    """Refused rows per reason, most frequent first; a row counts for each of its reasons."""
    with _opened(lake) as connection:
        counted = connection.execute(f"""
            SELECT reason, count(*) AS n
            FROM (SELECT unnest({REASONS}) AS reason FROM quarantine WHERE {which.condition})
            GROUP BY reason ORDER BY n DESC, reason
        """).fetchall()
    return dict(counted)


def decide(
    lake: Lake, rows: pa.Table, state: State, *, at: datetime, actor: str, why: str, into: str | None = None
) -> None:
    """Write down what becomes of ``rows`` (of schema ``QUARANTINE``); of a row that was replayed that counts."""
    said = {STATE: state, AT: at, ACTOR: actor, WHY: why, INTO: into}
    columns = {
        DELIVERY_ID: rows[DELIVERY_ID].combine_chunks(),
        POSITION: rows[POSITION].combine_chunks(),
        **{name: pa.array([value] * len(rows), DECISION.field(name).type) for name, value in said.items()},
    }
    write_table(pa.table(columns, DECISION), lake.decision(f"{at:%Y%m%dT%H%M%S%f}-{state}-{uuid4().hex[:12]}"))


@contextmanager
def _opened(lake: Lake) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with the view ``quarantine``."""
    decided = read_parquet(lake.decisions()) if lake.decisions() else "no_decisions"
    # a replayed row is in the log, whatever somebody decided meanwhile
    first = f"{STATE} = 'replayed' DESC, {AT} DESC"
    # what a replay refused once more when it was run again is in its file still, and open
    own = f"{INTO} IS DISTINCT FROM {DELIVERY_ID}"
    latest = f"SELECT * FROM {decided} WHERE {own} QUALIFY row_number() OVER (PARTITION BY {_KEY} ORDER BY {first}) = 1"
    rows = read_parquet(_files(lake)) if _files(lake) else "no_rows"
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("no_decisions", DECISION.empty_table())
        connection.register("no_rows", REFUSED.empty_table())
        connection.execute(f"""
            CREATE VIEW quarantine AS
            WITH latest AS ({latest}),
            told AS (
                SELECT *, {DELIVERY_ID} IN (SELECT {INTO} FROM {decided} WHERE {INTO} IS NOT NULL) AS replay
                FROM {rows} LEFT JOIN latest USING ({_KEY})),
            compared AS (
                SELECT *, first_value({DELIVERY_ID}) OVER (
                    PARTITION BY {EVENT_ID}, {ORIGINAL}, replay ORDER BY {STATE} IS NULL, {DELIVERY_ID}) AS first
                FROM told)
            SELECT * EXCLUDE (first, replay) REPLACE (
                coalesce({STATE}, CASE WHEN first <> {DELIVERY_ID} AND NOT replay THEN 'repeated' ELSE 'open' END)
                AS {STATE})
            FROM compared
        """)
        yield connection


_KEY: Final = f"{DELIVERY_ID}, {POSITION}"


def _files(lake: Lake) -> list[Path]:
    """Files of published deliveries; a delivery still in staging has refused nothing yet."""
    files = (lake.quarantine(path.stem) for path in lake.published())
    return [path for path in files if path.exists()]
