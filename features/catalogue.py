"""The catalogue: what is known about items, folded from everything that deliveries said."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import duckdb
import pyarrow as pa

from features.engines.trouble import explained
from features.events.manifest import published
from features.events.schema import BRAND, CATEGORY, CATEGORY_PATH, ITEM, ITEM_ID, PRICE, TITLE, VALID_FROM
from features.events.scratch import read_parquet, text
from features.whole import whole
from infra.settings import Settings

FIRST_SEEN: Final = "first_seen"

CATALOGUE: Final = pa.schema(
    [
        pa.field(ITEM_ID, pa.string(), nullable=False),
        pa.field(TITLE, pa.string()),
        pa.field(CATEGORY, pa.string(), nullable=False),  # the most specific of the path
        pa.field(BRAND, pa.string()),
        pa.field(PRICE, pa.int64()),  # minor units
        pa.field(FIRST_SEEN, pa.timestamp("us", tz="UTC"), nullable=False),
    ]
)


def catalogue(settings: Settings, known_at: datetime | None = None) -> pa.Table:
    """The items of all published deliveries, one row an item, by ``item_id`` (schema ``CATALOGUE``).

    Of each column the latest value that is not null wins, by ``valid_from``, then delivery.

    Args:
        known_at: leave out deliveries that came later and, of a bulk history, items first seen later;
            None: everything.

    Raises:
        LakeError: what a delivery said is gone, or not whole.
    """
    files = [
        settings.lake.items(manifest.delivery_id)
        for manifest in published(settings.lake)
        if known_at is None or manifest.bulk or manifest.delivered_at <= known_at
    ]
    if not whole(files, ITEM):
        return CATALOGUE.empty_table()
    until = f"WHERE {VALID_FROM} <= TIMESTAMPTZ {text(known_at.isoformat())}" if known_at else ""
    # a delivery without titles has nothing to say about categories either
    described = f"{TITLE} IS NOT NULL OR {CATEGORY_PATH} <> ['other']"
    config = {"threads": settings.threads, "memory_limit": settings.memory_limit}
    with explained(settings), duckdb.connect(config=config) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        table = connection.sql(f"""
            SELECT {ITEM_ID}, {_latest(TITLE)}, coalesce({_latest(CATEGORY, described)}, 'other') AS {CATEGORY},
                {_latest(BRAND)}, {_latest(PRICE)}, min({VALID_FROM}) AS {FIRST_SEEN}
            FROM (SELECT *, {CATEGORY_PATH}[-1] AS {CATEGORY}, {{since: {VALID_FROM}, said_by: filename}} AS place
                  FROM {read_parquet(files, "filename")} {until})
            GROUP BY {ITEM_ID} ORDER BY {ITEM_ID}
        """).to_arrow_table()
    return table.rename_columns(CATALOGUE.names).cast(CATALOGUE)


def _latest(column: str, where: str = "true") -> str:
    return f"arg_max({column}, place) FILTER ({column} IS NOT NULL AND ({where}))"
