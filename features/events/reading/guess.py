"""A delivery that says nothing about itself: its source and its days, found from its files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
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

#: Days without a row between two rows of one delivery that are worth a word.
LONG_GAP: Final = 31
#: More is a wrong clock, not a shop.
LONGEST_GAP: Final = 366
#: So small a share of rows beyond long gaps are rows whose clock was wrong.
STRAYS: Final = 0.01


def find_source(settings: Settings, files: Sequence[Path]) -> Source:
    """The source of files, from their columns.

    Raises:
        DeliveryError: they fit none, or several.
    """
    with _connected(settings) as connection:
        return source_of([text_file(connection, path, list(SOURCES.values())) for path in files])


def find_span(settings: Settings, source: str, files: Sequence[Path], say: Callable[[str], None]) -> Span:
    """The days from the first to the last readable time of the log in ``files``, days that are over.

    Where more than a month is without rows, those count that lie together, if they are nearly all.

    Args:
        say: told what a person should know about the days.

    Raises:
        DeliveryError: there is no row, no time can be read, or the times lie years apart.
    """
    adapter = source_named(source)
    today = day_of(settings.shop_clock().now(), settings.zone)
    with _connected(settings) as connection:
        found = sort_files(adapter, [text_file(connection, path, [adapter]) for path in files])
        rows: Counter[date | None] = Counter()
        for _, file in found.events:
            rows += _rows(connection, adapter, file, today)
    if not rows:
        raise DeliveryError(f"{files[0]} has no rows.", "Deliver it again.")
    dated = Counter({day: count for day, count in rows.items() if day is not None})
    if not dated:
        raise DeliveryError(
            f"No time before {today} can be read in {files[0]}.",
            "Check the column of the time, or name the days with --day, or --start and --end.",
        )
    return _span(dated, adapter.sparse, say)


def _span(rows: Counter[date], sparse: bool, say: Callable[[str], None]) -> Span:
    periods = _periods(sorted(rows))
    core = max(periods, key=lambda days: sum(rows[day] for day in days))
    strays = rows.total() - sum(rows[day] for day in core)
    if 0 < strays <= STRAYS * rows.total() and not sparse:
        say(f"The days are {core[0]} to {core[-1]}; {strays} rows lie far from them and become late or early rows.")
        say("If they were meant, name the days with --start and --end.")
        return Span(core[0], core[-1] + timedelta(days=1))
    gaps = [f"{before[-1]} and {after[0]}" for before, after in pairwise(periods)]
    if any((after[0] - before[-1]).days > LONGEST_GAP for before, after in pairwise(periods)) and not sparse:
        raise DeliveryError(
            f"The rows lie years apart: none between {', '.join(gaps[:3])}.",
            "Name the days that the delivery is for with --start and --end; others become late or early rows.",
        )
    if gaps:
        say(f"No row lies between {', '.join(gaps[:3])}: these days will be closed without rows.")
        say("If a wrong clock is the reason, name the days with --start and --end.")
    return Span(periods[0][0], periods[-1][-1] + timedelta(days=1))


def _periods(days: Sequence[date]) -> list[list[date]]:
    """Days in order, cut where more than ``LONG_GAP`` lie between two."""
    periods = [[days[0]]]
    for before, after in pairwise(days):
        if (after - before).days > LONG_GAP:
            periods.append([])
        periods[-1].append(after)
    return periods


def _rows(connection: duckdb.DuckDBPyConnection, source: Source, file: TextFile, today: date) -> Counter[date | None]:
    """How many rows of a log the shop's days have; None: no day, or one that is not over, or nonsense."""
    cells = Cells(Loaded("", {column: f"clean({name(column)})" for column in file.columns}, {0: file}))
    moment = source.columns[OCCURRED_AT].format_map(cells)
    try:
        rows = connection.execute(f"""
            SELECT CASE WHEN day BETWEEN DATE '1990-01-01' AND DATE '{today - timedelta(days=1)}' THEN day END AS day,
                count(*)
            FROM (SELECT CAST(moment({moment}) AS DATE) AS day FROM (SELECT 0 AS {FILE}, * FROM ({file.query})))
            GROUP BY ALL
        """).fetchall()
    except READ_ERRORS as error:
        raise unreadable(file.path, error, opened) from error
    return Counter(dict(rows))


@contextmanager
def _connected(settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    with spilling(settings) as folder, scratch(settings, folder) as connection:
        yield connection
