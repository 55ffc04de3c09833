"""From text to events: every row of every file, typed, with the reasons against it."""

from __future__ import annotations

from pathlib import Path

import duckdb

from features.events.delivery import CLOSED_MARKER
from features.events.parsed import PARSED, declaration
from features.events.query import Bounds, query
from features.events.reading import READ_ERRORS, require, text_file, unreadable
from features.events.sources import Source
from infra.errors import DeliveryError


def parse(connection: duckdb.DuckDBPyConnection, source: Source, files: tuple[Path, ...], bounds: Bounds) -> None:
    """Fill the table ``parsed`` with every row of every file, in order.

    Raises:
        DeliveryError: a file that cannot be read as a whole.
    """
    connection.execute(declaration())
    offset = 0
    for number, path in enumerate(files):
        file = text_file(connection, path)
        require(file, source.required)
        try:
            connection.execute(f"INSERT INTO {PARSED} {query(source, file, number, offset, bounds)}")
        except duckdb.Error as error:
            # the bare class is what a damaged Parquet page gives
            if isinstance(error, READ_ERRORS) or type(error) is duckdb.Error:
                raise unreadable(path, error) from error
            raise
        rows = int(connection.execute(f"SELECT count(*) FROM {PARSED}").fetchall()[0][0]) - offset
        if rows == 0:
            raise DeliveryError(f"{path} has no rows.", f"Deliver it again, or put {CLOSED_MARKER} in its place.")
        offset += rows
