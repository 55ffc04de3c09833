"""One file of a day's events in place of several: sorted, named after its content, of equal bytes for equal rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa

from features.events.event_file import GROUP, write_event_file
from features.events.keeping.counting import events_in, rows_and_digest
from features.events.schema import DELIVERY_ID, EVENT, EVENT_ORDER
from features.events.scratch import listing, scratch
from infra.errors import MachineError
from infra.lake import written_aside
from infra.settings import Settings
from infra.spill import spilling


def merge(settings: Settings, day: date, files: Sequence[Path], renewed: Sequence[Path] = ()) -> Path:
    """Write the events of ``files`` into one file of ``day`` that nobody reads before a partition lists it.

    Args:
        files: with events of the day, one or more; they stay as they are.
        renewed: files of single deliveries, named after them, whose rows replace theirs in ``files``.

    Returns:
        the file; that of the same rows is the same file.

    Raises:
        MachineError: what was written is not what was read; the file is not there then.
    """
    events = _events(files, renewed)
    with _spilling(settings) as connection:
        wanted = rows_and_digest(connection, events)
        path = settings.lake.merged(day, wanted[1])
        with written_aside(path) as aside:
            batches = connection.sql(f"{events} ORDER BY {', '.join(EVENT_ORDER)}").to_arrow_reader(GROUP)
            write_event_file(aside, (pa.Table.from_batches([batch]).cast(EVENT) for batch in batches))
            if (found := rows_and_digest(connection, events_in([aside]))) != wanted:
                raise MachineError(
                    f"Merging the files of {day} lost rows: {wanted} were read, {found} written.",
                    "Nothing has changed. Check the disk, and run it again.",
                )
    return path


def _events(files: Sequence[Path], renewed: Sequence[Path]) -> str:
    if not renewed:
        return events_in(files)
    came = listing([path.stem for path in renewed])
    kept = f"{events_in(files)} WHERE NOT list_contains({came}, {DELIVERY_ID})"
    return f"SELECT * FROM ({kept} UNION ALL {events_in(renewed)})"


@contextmanager
def _spilling(settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB within the memory of the settings; what it cannot hold lies in the lake's ``spill``."""
    with spilling(settings) as folder, scratch(settings, folder) as connection:
        yield connection
