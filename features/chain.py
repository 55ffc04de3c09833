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

from features.engine import Connection, Table, batches, stored
from features.events.schema import USER_ID
from features.files import read_files
from features.row_groups import write_groups
from features.versions import known_by, newest, told_by
from features.view import View
from features.views import CHAINED
from infra.lake import Lake, dated
from infra.partitions import Span

#: At most this many daily files are read to find the states before a span.
CHECKPOINT_DAYS: Final = 30
_KEPT: Final = 2


def states_before(
    connection: Connection, lake: Lake, view: View, day: date, users: Table, as_of_us: int | None = None
) -> Table:
    """The last row before ``day`` of each of ``users`` (a table with their ids, or those of the view's entity) that
    has one; of a chained view also one that has outlived its ttl, for the next row goes on from it.

    Args:
        as_of_us: as known by this moment, microseconds since 1970 UTC; None: as known now.
    """
    ttl_days = None if view.name in CHAINED else view.ttl_days
    # another row that has outlived its ttl says nothing any more; a checkpoint holds what is known now
    since = day - timedelta(days=ttl_days + 2) if ttl_days else date.min
    files = _files(lake, view, day) if as_of_us is None and not ttl_days else _daily(lake, view, since, day)
    rows = known_by(read_files(connection, told_by(files, as_of_us), view.schema), as_of_us)
    return stored(connection, newest(rows.semi_join(users, view.entity), view.entity))


def drop_checkpoints(lake: Lake, view: View, day: date) -> None:
    """Forget the checkpoints that hold rows of ``day`` or later."""
    for known, path in dated(lake.checkpoint_folder(view.name)):
        if known >= day:
            path.unlink()


def keep_checkpoint(connection: Connection, lake: Lake, view: View, span: Span, as_of_us: int | None) -> None:
    """After ``span`` was built, as known by a moment: write a checkpoint if the one before is too far back."""
    files = told_by(_files(lake, view, span.end), as_of_us)
    if len(files) <= CHECKPOINT_DAYS:
        return
    rows = newest(read_files(connection, files, view.schema), USER_ID).order_by(USER_ID)
    pieces = (pa.Table.from_batches([batch]) for batch in batches(connection, rows))
    write_groups(pieces, view.schema, lake.checkpoint(view.name, span.end - timedelta(days=1)))
    for _known, path in dated(lake.checkpoint_folder(view.name))[:-_KEPT]:
        path.unlink()


def _files(lake: Lake, view: View, day: date) -> list[Path]:
    """The last checkpoint before ``day``, if there is one, and the files from there up to ``day``."""
    saved = [(known, path) for known, path in dated(lake.checkpoint_folder(view.name)) if known < day][-1:]
    since = saved[0][0] if saved else date.min
    return [path for _known, path in saved] + _daily(lake, view, since, day)


def _daily(lake: Lake, view: View, after: date, before: date) -> list[Path]:
    """The files of days between two, of all versions."""
    return [path for day, path in dated(lake.feature_folder(view.name)) if after < day < before]
