"""A delivery that says nothing about itself: its source and its days, found from its files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Final

import duckdb

from features.events.reading.load import Cells, Loaded
from features.events.reading.matching import sort_files, source_of
from features.events.reading.packed import opened
from features.events.reading.parsed import FILE
from features.events.reading.relations import TextFile, text_file
from features.events.reading.unreadable import READ_ERRORS, unreadable
from features.events.schema import OCCURRED_AT
from features.events.scratch import name, scratch
from features.events.sources import SOURCES, Source, source_named
from infra.errors import DeliveryError
from infra.partitions import Span, day_of
from infra.settings import Settings
from infra.spill import spilling

#: Days without a row between two rows of one delivery; more is a wrong clock, not a shop.
LONGEST_GAP: Final = 366


def find_source(settings: Settings, files: Sequence[Path]) -> Source:
    """The source of files, from their columns.

    Raises:
        DeliveryError: they fit none, or several.
    """
    with _connected(settings) as connection:
        headerless = [source.headerless for source in SOURCES.values() if source.headerless]
        return source_of([text_file(connection, path, headerless) for path in files])


def find_span(settings: Settings, source: str, files: Sequence[Path]) -> Span:
    """The days from the first to the last readable time of the log in ``files``, days that are over.

    Raises:
        DeliveryError: no time can be read, or the times lie years apart.
    """
    adapter = source_named(source)
    today = day_of(settings.shop_clock().now(), settings.zone)
    with _connected(settings) as connection:
        headerless = [adapter.headerless] if adapter.headerless else []
        found = sort_files(adapter, [text_file(connection, path, headerless) for path in files])
        days: set[date] = set()
        for _, file in found.events:
            days |= _days(connection, adapter, file, today)
    over = sorted(days)
    if not over:
        raise DeliveryError(
            f"No time before {today} can be read in {files[0]}.",
            "Check the column of the time, or name the days with --day, or --start and --end.",
        )
    for before, after in pairwise(over):
        if (after - before).days > LONGEST_GAP:
            raise DeliveryError(
                f"The rows lie years apart: none between {before} and {after}.",
                "Name the days that the delivery is for with --start and --end; others become late or early rows.",
            )
    return Span(over[0], over[-1] + timedelta(days=1))


def _days(connection: duckdb.DuckDBPyConnection, source: Source, file: TextFile, today: date) -> set[date]:
    """The shop's days of the rows of a log, as far as they are over and no nonsense."""
    cells = Cells(Loaded("", {column: f"clean({name(column)})" for column in file.columns}, {0: file}))
    moment = source.columns[OCCURRED_AT].format_map(cells)
    try:
        rows = connection.execute(f"""
            SELECT DISTINCT day FROM (
                SELECT CAST(moment({moment}) AS DATE) AS day FROM (SELECT 0 AS {FILE}, * FROM ({file.query})))
            WHERE day BETWEEN DATE '1990-01-01' AND DATE '{today - timedelta(days=1)}'
        """).fetchall()
    except READ_ERRORS as error:
        raise unreadable(file.path, error, opened) from error
    return {row[0] for row in rows}


@contextmanager
def _connected(settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    with spilling(settings) as folder, scratch(settings, folder) as connection:
        yield connection
