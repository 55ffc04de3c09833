"""A training set as of its moments: what was known about user and items when each basket began.

Two baskets and the events between them never meet: features come from the feature store as of the
last closed day before the moment, advanced by that day's earlier events with the same function that
answers requests. A folder below ``lake.snapshot(id)``::

    snapshot.json         days of each split, counts, settings of the features, digest
    moments.parquet       user, session, moment, day, targets, and the state (``features.state_table``)
    item_stats.parquet    day, item, the item windows as of the day's beginning
    items.parquet         item_id, title, category, price: what was known when the fresh days begin
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from features import state_table
from features.bundle import ITEM_TABLE
from features.engines.trouble import explained
from features.events.schema import CATEGORY, ITEM_ID, PRICE, USER_ID
from features.inputs import stat_columns
from features.service import feature_versions, service_version
from features.state import UserState
from features.views import SERVICE
from features.vocabulary import Vocabulary
from infra.errors import TrainingError
from infra.lake import read_json, write_json, written_aside
from infra.partitions import Span
from infra.settings import Settings
from training.moments import DAY, MOMENT, SPLITS, Split, Splits

META: Final = "snapshot.json"
MOMENTS: Final = "moments.parquet"
STATS: Final = "item_stats.parquet"
ITEMS: Final = "items.parquet"


@dataclass(frozen=True)
class Snapshot:
    """One training set on disk; tables are read when asked for.

    Attributes:
        id: of the last day and the content: equal content has an equal id.
        digest: SHA-256 of the three tables.
    """

    id: str
    path: Path
    digest: str
    meta: dict[str, Any]

    @classmethod
    def load(cls, path: Path) -> Snapshot:
        """Open the snapshot in ``path``.

        Raises:
            TrainingError: there is none.
        """
        if not (path / META).exists():
            raise TrainingError(f"{path} holds no snapshot.", "Take one with 'penchant train'.")
        meta = read_json(path / META)
        return cls(meta["id"], path, meta["digest"], meta)

    @cached_property
    def moments(self) -> pa.Table:
        return pq.read_table(self.path / MOMENTS)

    @cached_property
    def item_stats(self) -> pa.Table:
        return pq.read_table(self.path / STATS)

    @cached_property
    def items(self) -> pa.Table:
        return pq.read_table(self.path / ITEMS, schema=ITEM_TABLE)

    @property
    def window_days(self) -> tuple[int, ...]:
        return tuple(self.meta["window_days"])

    @property
    def half_life_days(self) -> tuple[int, ...]:
        return tuple(self.meta["half_life_days"])

    @cached_property
    def splits(self) -> Splits:
        return Splits(*(Span(*map(date.fromisoformat, self.meta["splits"][name])) for name in SPLITS))

    def rows(self, split: Split) -> NDArray[np.int64]:
        """Rows of ``moments`` in the days of ``split``, in order of time."""
        span = self.splits.span(split)
        days = self.moments[DAY].to_numpy().astype("datetime64[D]")
        return np.flatnonzero((days >= np.datetime64(span.start)) & (days < np.datetime64(span.end)))

    def states(self) -> list[UserState]:
        """What was known at each moment."""
        table, windows, half_lives = self.moments, self.window_days, self.half_life_days
        moments = table[MOMENT].cast(pa.int64()).to_pylist()
        return state_table.from_table(table, table[USER_ID].to_pylist(), moments, windows, half_lives)

    def vocabulary(self) -> Vocabulary:
        """Ids of all items known when the fresh days begin."""
        return Vocabulary.of(dict(zip(*(self.items[name].to_pylist() for name in (ITEM_ID, CATEGORY)), strict=True)))


def write(
    settings: Settings,
    splits: Splits,
    moments: pa.Table,
    states: Sequence[UserState],
    item_stats: pa.Table,
    items: pa.Table,
) -> Snapshot:
    """Write a snapshot from its parts.

    Args:
        moments: user_id, session_id, moment, day, targets; in order of moment, user, session.
        states: parallel to ``moments``.
        item_stats: day, item_id and the windows of ``stat_columns``; at most one row a day and item.
        items: columns of ``ITEM_TABLE``.

    Raises:
        MachineError: the disk is full, or may not be written to; there is no snapshot then.
    """
    known = state_table.to_table(states, settings.window_days, settings.half_life_days)
    for name in known.column_names:
        moments = moments.append_column(known.schema.field(name), known[name])
    windows = [name for name in stat_columns(settings.window_days) if name != PRICE]
    stats = item_stats.select([DAY, ITEM_ID, *windows]).sort_by([(DAY, "ascending"), (ITEM_ID, "ascending")])
    tables = {
        MOMENTS: moments,
        STATS: stats,
        ITEMS: items.select(ITEM_TABLE.names).cast(ITEM_TABLE).sort_by(ITEM_ID),
    }
    return _publish(settings, tables, _meta(settings, splits, tables))


def _meta(settings: Settings, splits: Splits, tables: dict[str, pa.Table]) -> dict[str, Any]:
    through = splits.fresh.end - timedelta(days=1)
    return {
        "through": str(through),
        "splits": {name: [str(splits.span(name).start), str(splits.span(name).end)] for name in SPLITS},
        "feature_service": SERVICE,
        "feature_service_version": service_version(settings),
        "features": feature_versions(settings),
        "window_days": settings.window_days,
        "half_life_days": settings.half_life_days,
        "sequence_length": settings.sequence_length,
        "history_items": settings.history_items,
        "rows": {Path(name).stem: table.num_rows for name, table in tables.items()},
    }


def _publish(settings: Settings, tables: dict[str, pa.Table], meta: dict[str, Any]) -> Snapshot:
    files = {name: _parquet(table) for name, table in tables.items()}
    digest = hashlib.sha256(b"".join(hashlib.sha256(content).digest() for content in files.values())).hexdigest()
    identity = f"{meta['through']}-{digest[:12]}"
    with explained(settings), written_aside(settings.lake.snapshot(identity)) as folder:
        folder.mkdir()
        for name, content in files.items():
            (folder / name).write_bytes(content)
        write_json(folder / META, {**meta, "id": identity, "digest": digest})
    return Snapshot.load(settings.lake.snapshot(identity))


def _parquet(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    return bytes(sink.getvalue())
