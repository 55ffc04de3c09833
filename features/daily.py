"""What the events of a day come to, in a file of its own: windows are made from these, never from the events again."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pyarrow as pa

from features.day_files import write_days
from features.engine import Connection, Table
from features.files import read_files
from infra.lake import Lake
from infra.partitions import Span
from infra.settings import Settings


@dataclass(frozen=True)
class Daily:
    """One kind of daily file.

    Attributes:
        name: of its folder in the lake.
        schema: with ``day``.
        keys: columns that order its rows without ties.
        of: its rows from ``behaviour``.
    """

    name: str
    schema: pa.Schema
    keys: tuple[str, ...]
    of: Callable[[Table, Settings], Table]

    def write(self, connection: Connection, settings: Settings, events: Table, span: Span) -> int:
        """Write a file for every day of ``span``, and count their rows."""
        rows = self.of(events, settings)
        return write_days(connection, rows, self.schema, span.days(), self._path_in(settings.lake), self.keys)

    def read(self, connection: Connection, lake: Lake, days: Iterable[date]) -> Table:
        """The rows of ``days``; days before the first partition have none."""
        paths = map(self._path_in(lake), days)
        return read_files(connection, (path for path in paths if path.exists()), self.schema)

    def _path_in(self, lake: Lake) -> Callable[[date], Path]:
        return lambda day: lake.daily(self.name, day)
