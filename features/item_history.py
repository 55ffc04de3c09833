"""Items as they were: every version of every item, and from when to when it holds."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import duckdb
import pyarrow as pa

from features.categories import OTHER
from features.engine import Connection, Table, table_of
from features.engines.trouble import explained
from features.events.manifest import Manifest, published
from features.events.schema import BRAND, CATEGORY, CATEGORY_PATH, ITEM, ITEM_ID, PRICE, TITLE, VALID_FROM
from features.events.scratch import read_parquet
from features.whole import whole
from infra.partitions import day_start
from infra.settings import Settings

SINCE_US: Final = "since_us"
UNTIL_US: Final = "until_us"
FIRST_US: Final = "first_us"

ITEM_HISTORY: Final = pa.schema(
    [
        pa.field(ITEM_ID, pa.string(), nullable=False),
        pa.field(SINCE_US, pa.int64(), nullable=False),  # microseconds since 1970 UTC
        pa.field(UNTIL_US, pa.int64(), nullable=False),  # the first moment at which it holds no longer
        pa.field(FIRST_US, pa.int64(), nullable=False),  # when its first version took effect
        pa.field(TITLE, pa.string()),
        pa.field(CATEGORY, pa.string(), nullable=False),  # the most specific of the path
        pa.field(BRAND, pa.string()),
        pa.field(PRICE, pa.int64()),  # minor units
    ]
)
_ALWAYS: Final = -(1 << 62)
_FOR_EVER: Final = 1 << 62
_VALUES: Final = (TITLE, CATEGORY, BRAND, PRICE)


def item_history(settings: Settings, as_of: datetime | None = None) -> pa.Table:
    """Versions of all items that published deliveries named, by item and time (schema ``ITEM_HISTORY``).

    A column that a version does not say keeps its value. A version takes effect when it says, and no earlier
    than the first day that its delivery was for: what is told late leaves closed days as they were. Before its
    first version an item is what that version says.

    Args:
        as_of: leave out deliveries that came later, but for those of a bulk history; None: all.

    Raises:
        LakeError: what a delivery said is gone, or not whole.
    """
    told = [one for one in published(settings.lake) if as_of is None or one.bulk or one.delivered_at <= as_of]
    files = [(manifest, settings.lake.items(manifest.delivery_id)) for manifest in told]
    if not whole((path for _, path in files), ITEM):
        return ITEM_HISTORY.empty_table()
    kept = f"PARTITION BY {ITEM_ID} ORDER BY since, told, file, {VALID_FROM}"
    filled = ", ".join(f"last_value({column} IGNORE NULLS) OVER ({kept}) AS {column}" for column in _VALUES)
    values = f"({', '.join(_VALUES)})"
    in_time = f"PARTITION BY {ITEM_ID} ORDER BY since"
    config = {"threads": settings.threads, "memory_limit": settings.memory_limit}
    with explained(settings), duckdb.connect(config=config) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("CREATE TABLE file (path VARCHAR, start TIMESTAMPTZ, told TIMESTAMPTZ)")
        connection.executemany("INSERT INTO file VALUES (?, ?, ?)", [_row(settings, *file) for file in files])
        table = connection.sql(f"""
            WITH said AS (SELECT {ITEM_ID}, {VALID_FROM}, greatest({VALID_FROM}, start) AS since, told, path AS file,
                    {TITLE},
                    CASE WHEN {TITLE} IS NOT NULL OR {CATEGORY_PATH} <> ['{OTHER}'] THEN {CATEGORY_PATH}[-1] END
                    AS {CATEGORY}, {BRAND}, {PRICE}
                FROM {read_parquet([path for _, path in files], "path")}
                JOIN file USING (path)),
            filled AS (SELECT {ITEM_ID}, {VALID_FROM}, since, told, file, {filled} FROM said),
            latest AS (SELECT * FROM filled QUALIFY row_number() OVER
                (PARTITION BY {ITEM_ID}, since ORDER BY told DESC, file DESC, {VALID_FROM} DESC) = 1),
            changed AS (SELECT * FROM latest QUALIFY {values} IS DISTINCT FROM lag({values}) OVER ({in_time})
                OR row_number() OVER ({in_time}) = 1)
            SELECT {ITEM_ID},
                CASE WHEN row_number() OVER ({in_time}) = 1 THEN {_ALWAYS} ELSE epoch_us(since) END AS {SINCE_US},
                coalesce(epoch_us(lead(since) OVER ({in_time})), {_FOR_EVER}) AS {UNTIL_US},
                epoch_us(min(since) OVER (PARTITION BY {ITEM_ID})) AS {FIRST_US},
                {TITLE}, coalesce({CATEGORY}, '{OTHER}') AS {CATEGORY}, {BRAND}, {PRICE}
            FROM changed ORDER BY {ITEM_ID}, {SINCE_US}
        """).to_arrow_table()
    return table.cast(ITEM_HISTORY)


def item_versions(connection: Connection, settings: Settings, as_of: datetime | None = None) -> Table:
    """``item_history`` as a table of the connection."""
    return table_of(connection, item_history(settings, as_of))


def _row(settings: Settings, manifest: Manifest, path: object) -> tuple[str, object, object]:
    return str(path), day_start(manifest.span_start, settings.zone), manifest.delivered_at
