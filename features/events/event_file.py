"""One file of events: groups of rows of one size, so that equal rows give equal bytes however they came."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from features.events.schema import EVENT, EVENT_ID

#: Rows of a group, and of what is in memory at once.
GROUP: Final = 100_000
#: A dictionary of ids that come once each would be built and thrown away.
_DICTIONARY: Final = [name for name in EVENT.names if name != EVENT_ID]


def write_event_file(path: Path, parts: Iterable[pa.Table]) -> None:
    """Write sorted rows of the schema ``EVENT``, which come in parts of any size; no part, no rows."""
    with pq.ParquetWriter(path, EVENT, compression="zstd", use_dictionary=_DICTIONARY) as writer:
        for group in _groups(parts):
            writer.write_table(group.combine_chunks())  # the bytes depend on the chunks


def _groups(parts: Iterable[pa.Table]) -> Iterator[pa.Table]:
    rest = pa.Table.from_batches([], EVENT)  # asking the schema for one would import pandas
    for part in parts:
        rest = pa.concat_tables([rest, part])
        while len(rest) >= GROUP:
            yield rest.slice(0, GROUP)
            rest = rest.slice(GROUP)
    if len(rest):
        yield rest
