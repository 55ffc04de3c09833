"""Views whose rows go on from the row before: interest, sequence, history.

The state of a user before a span is its last row there. To find it without reading all of history,
the last row of every user is written to a checkpoint now and then (``CHECKPOINT_DAYS``), and only the
files since the last checkpoint before the span are read besides it. Building a span drops the
checkpoints that hold its days, so whatever is rebuilt goes on from the state before it.
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Final

import pyarrow as pa
from ibis import _

from features.engine import Connection, Table, batches, stored
from features.events.schema import USER_ID
from features.files import read_files, write_table
from features.view import EVENT_TIMESTAMP, View
from infra.lake import Lake, dated
from infra.partitions import Span

#: At most this many daily files are read to find the states before a span.
CHECKPOINT_DAYS: Final = 30
_KEPT: Final = 2


def states_before(connection: Connection, lake: Lake, view: View, day: date, users: Table) -> Table:
    """The last row before ``day`` of each of ``users`` (a table with their ids) that has one."""
    rows = read_files(connection, _files(lake, view, day), view.schema)
    return stored(connection, _last(rows.semi_join(users, USER_ID)))


def drop_checkpoints(lake: Lake, view: View, day: date) -> None:
    """Forget the checkpoints that hold rows of ``day`` or later."""
    for known, path in dated(lake.checkpoint_folder(view.name)):
        if known >= day:
            path.unlink()


def keep_checkpoint(connection: Connection, lake: Lake, view: View, span: Span) -> None:
    """After ``span`` was built: write a checkpoint if the one before is too far back."""
    files = _files(lake, view, span.end)
    if len(files) <= CHECKPOINT_DAYS:
        return
    rows = _last(read_files(connection, files, view.schema)).order_by(USER_ID)
    content = pa.Table.from_batches(batches(connection, rows)).cast(view.schema)
    write_table(content, lake.checkpoint(view.name, span.end - timedelta(days=1)))
    for _known, path in dated(lake.checkpoint_folder(view.name))[:-_KEPT]:
        path.unlink()


def _last(rows: Table) -> Table:
    newest = rows.group_by(USER_ID).agg(**{EVENT_TIMESTAMP: _[EVENT_TIMESTAMP].max()})
    return rows.semi_join(newest, (USER_ID, EVENT_TIMESTAMP))


def _files(lake: Lake, view: View, day: date) -> list[Path]:
    """The last checkpoint before ``day``, if there is one, and the files from there up to ``day``."""
    saved = [(known, path) for known, path in dated(lake.checkpoint_folder(view.name)) if known < day][-1:]
    since = saved[0][0] if saved else date.min
    daily = [path for known, path in dated(lake.feature_folder(view.name)) if since < known < day]
    return [path for _known, path in saved] + daily
