"""From files to events: every row typed, with the reasons against it, beside what describes items."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import duckdb

from features.events.landing_folder import CLOSED_MARKER
from features.events.reading.load import Loaded, load
from features.events.reading.matching import Sorted
from features.events.reading.parsed import PARSED
from features.events.reading.query import Bounds, query
from features.events.sources import Catalogue, Source

_EMPTY: Final = f"Deliver it again, or put {CLOSED_MARKER} in its place."


@dataclass(frozen=True)
class Parsed:
    """What was read; the log's rows are the table ``parsed``."""

    source: Source
    log: Loaded
    catalogues: tuple[tuple[Catalogue, Loaded], ...]
    tree: Loaded | None


def parse(connection: duckdb.DuckDBPyConnection, source: Source, files: Sorted, bounds: Bounds) -> Parsed:
    """Load every row of every file, in order, and fill the table ``parsed`` with the log's.

    Raises:
        DeliveryError: a file that cannot be read as a whole.
    """
    log = load(connection, "log", files.events, _EMPTY)
    # temporary tables are not compressed: they cost less to write than they would save
    connection.execute(f"CREATE TEMP TABLE {PARSED} AS {query(source, log, bounds)}")
    catalogues = tuple(
        (kind, load(connection, f"catalogue_{number}", [file], _EMPTY))
        for number, (kind, file) in enumerate(files.catalogues)
    )
    return Parsed(source, log, catalogues, load(connection, "tree", files.trees, _EMPTY) if files.trees else None)
