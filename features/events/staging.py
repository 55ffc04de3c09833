"""Writes a routed delivery into its staging folder: a file a day, the items, the quarantine."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import date, datetime
from itertools import accumulate, chain, groupby, islice
from operator import itemgetter
from pathlib import Path
from typing import Final

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.events.cleaning.clean import CLEANED
from features.events.event_file import GROUP, write_event_file
from features.events.manifest import Manifest
from features.events.reading.load import Loaded
from features.events.reading.parsed import DAY, FILE, ORIGINAL, POSITION, REASONS, ROW
from features.events.reasons import RULE_VERSION
from features.events.route import ACCEPTED, ALIAS, EARLY, FATE, LATE, QUARANTINED, REASON, ROUTED
from features.events.schema import (
    DELIVERY_ID,
    EVENT,
    EVENT_ID,
    EVENT_ORDER,
    INGESTED_ASSUMED,
    INGESTED_AT,
    SOURCE,
)
from features.events.scratch import listing, text

STAGED_ITEMS: Final = "items.parquet"
STAGED_QUARANTINE: Final = "quarantine.parquet"
STAGED_ALIASES: Final = "aliases.parquet"
TAKEN: Final = f"{FATE} IN ('{ACCEPTED}', '{LATE}', '{EARLY}')"
_PORTION: Final = 500_000  # rows
#: SQL of the positions of all other rows.
LEFT_OUT: Final = f"SELECT {POSITION} FROM {ROUTED} WHERE NOT ({TAKEN})"

RULE: Final = "rule_version"
REFUSED: Final = pa.schema(
    [
        pa.field(DELIVERY_ID, pa.string(), nullable=False),
        pa.field(SOURCE, pa.string(), nullable=False),
        pa.field(FILE, pa.string(), nullable=False),
        pa.field(ROW, pa.int64(), nullable=False),  # from 1, the header not counted
        pa.field(POSITION, pa.int64(), nullable=False),  # in the delivery, from 1: with it, the row's name
        pa.field(EVENT_ID, pa.string(), nullable=False),  # the one it will have when it is taken after all
        pa.field(REASONS, pa.list_(pa.string()), nullable=False),
        pa.field(RULE, pa.string(), nullable=False),
        pa.field(ORIGINAL, pa.string(), nullable=False),  # JSON, every cell as the text that was read
        pa.field(DAY, pa.date32()),
    ]
)


def staged_day(folder: Path, day: date) -> Path:
    """The file of one day in a staging folder."""
    return folder / f"dt={day}.parquet"


def write_events(
    connection: duckdb.DuckDBPyConnection,
    folder: Path,
    manifest: Manifest,
    known: Mapping[date, datetime],
    threads: int,
) -> None:
    """One sorted file for every day of the span and of late and early rows; a day without rows gets an empty one.

    Args:
        known: since when rows are known that are accepted into one of these days; others, and all late
            and early rows, are known since the delivery.
        threads: so many days are written at once.
    """
    connection.execute(f"CREATE TABLE known ({DAY} DATE, since TIMESTAMPTZ)")
    values = ", ".join(f"(DATE {text(day)}, {_moment(since)})" for day, since in known.items())
    if values:
        connection.execute(f"INSERT INTO known VALUES {values}")
    own = {
        EVENT_ID: f"{ROUTED}.{EVENT_ID}",
        INGESTED_AT: f"CASE WHEN {FATE} = '{ACCEPTED}' THEN coalesce(since, {_moment(manifest.delivered_at)}) "
        f"ELSE {_moment(manifest.delivered_at)} END",
        INGESTED_ASSUMED: f"since IS NOT NULL AND {FATE} = '{ACCEPTED}'",
        SOURCE: text(manifest.source),
        DELIVERY_ID: text(manifest.delivery_id),
    }
    columns = ", ".join(f"{own.get(column, column)} AS {column}" for column in EVENT.names)
    written: set[date] = set()
    for first, last in _portions(manifest):
        reader = connection.sql(f"""
            SELECT {columns}, {ROUTED}.{DAY} AS {DAY}
            FROM {ROUTED} JOIN (SELECT * EXCLUDE ({EVENT_ID}) FROM {CLEANED}) AS {CLEANED} USING ({POSITION})
            LEFT JOIN known ON {ROUTED}.{DAY} = known.{DAY}
            WHERE {TAKEN} AND {ROUTED}.{DAY} BETWEEN DATE {text(first)} AND DATE {text(last)}
                AND {CLEANED}.{DAY} BETWEEN DATE {text(first)} AND DATE {text(last)}
            ORDER BY {ROUTED}.{DAY}, {", ".join(EVENT_ORDER)}
        """).to_arrow_reader(GROUP)
        written |= _split(reader, folder, threads)
    for day in manifest.days:
        if day not in written:
            write_event_file(staged_day(folder, day), [])


def _portions(manifest: Manifest) -> Iterator[tuple[date, date]]:
    """First and last of days whose rows fit in memory together, so that ten times the rows need no more of it."""
    rows = {**manifest.accepted_by_day, **manifest.late_by_day, **manifest.early_by_day}
    days = sorted(rows)
    upto = accumulate(rows[day] for day in days)
    for _, portion in groupby(zip(days, upto, strict=True), key=lambda found: found[1] // _PORTION):
        found = [day for day, _ in portion]
        yield found[0], found[-1]


def _moment(value: datetime) -> str:
    return f"TIMESTAMPTZ {text(value.isoformat())}"


def write_quarantine(connection: duckdb.DuckDBPyConnection, folder: Path, manifest: Manifest, log: Loaded) -> None:
    """Refused rows with the original and every reason, in the order in which they came."""
    names = listing([file.name for file in manifest.files]) if manifest.files else "['']"
    reader = connection.sql(f"""
        SELECT {text(manifest.delivery_id)} AS {DELIVERY_ID}, {text(manifest.source)} AS {SOURCE},
            {names}[{FILE} + 1] AS {FILE}, {ROW}, {POSITION}, {ROUTED}.{EVENT_ID},
            coalesce({REASONS}, [{REASON}]) AS {REASONS}, {text(RULE_VERSION)} AS {RULE}, {ORIGINAL}, {DAY}
        FROM (SELECT {POSITION}, {EVENT_ID}, {REASON} FROM {ROUTED} WHERE {FATE} = '{QUARANTINED}') AS {ROUTED}
        JOIN {CLEANED} USING ({POSITION})
        JOIN (
            SELECT rowid + 1 AS {POSITION}, {log.originals()} AS {ORIGINAL} FROM {log.table}
            WHERE rowid IN (SELECT {POSITION} - 1 FROM {ROUTED} WHERE {FATE} = '{QUARANTINED}')) USING ({POSITION})
        ORDER BY {POSITION}
    """).to_arrow_reader(GROUP)
    with pq.ParquetWriter(folder / STAGED_QUARANTINE, REFUSED, compression="zstd") as writer:
        for batch in reader:
            writer.write_table(pa.Table.from_batches([batch]).cast(REFUSED))


def write_aliases(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """The ids under which replayed rows would come today, and their days, if there are any."""
    found = connection.sql(
        f"SELECT {ALIAS} AS {EVENT_ID}, {DAY} FROM {ROUTED} WHERE {ALIAS} IS NOT NULL AND {TAKEN} ORDER BY ALL"
    ).to_arrow_table()
    if found.num_rows:
        pq.write_table(found, folder / STAGED_ALIASES, compression="zstd")


def _split(reader: pa.RecordBatchReader, folder: Path, threads: int) -> set[date]:
    """Cut a stream that is sorted by day into a file a day, several at once; in memory are a few batches."""
    written: set[date] = set()
    writing: deque[Future[None]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for day, found in groupby(_runs(reader), key=itemgetter(0)):
            parts = (rows for _, rows in found)
            begin = list(islice(parts, 2))
            written.add(day)
            writing.append(pool.submit(write_event_file, staged_day(folder, day), chain(begin, parts)))
            # a day of more than one batch reads the stream while it is written
            while writing and (len(begin) > 1 or len(writing) > threads):
                writing.popleft().result()
        for last in writing:
            last.result()
    return written


def _runs(reader: pa.RecordBatchReader) -> Iterator[tuple[date, pa.Table]]:
    """The stream's rows, cut where the day or the batch changes."""
    for batch in reader:
        ends = pc.run_end_encode(batch.column(DAY)).run_ends.to_pylist()
        rows = pa.Table.from_batches([batch]).select(EVENT.names).cast(EVENT)
        for start, end in zip([0, *ends[:-1]], ends, strict=True):
            yield batch.column(DAY)[start].as_py(), rows.slice(start, end - start)
