"""What a single delivery refused, staged or published, before anybody decided about its rows."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa

from features.events.reading.parsed import POSITION, REASONS
from features.events.scratch import read_parquet, text
from features.events.staging import REFUSED, STAGED_QUARANTINE
from infra.lake import Lake


def quarantine_of(lake: Lake, delivery_id: str) -> Path:
    """The file of a delivery's refused rows: staged, or published if it is no longer staged."""
    staged = lake.staging(delivery_id) / STAGED_QUARANTINE
    return staged if staged.exists() else lake.quarantine(delivery_id)


def reasons_in(path: Path) -> dict[str, int]:
    """Rows per reason, most frequent first; a row counts for each of its reasons."""
    with duckdb.connect() as connection:
        counted = connection.execute(f"""
            SELECT reason, count(*) AS n FROM (SELECT unnest({REASONS}) AS reason FROM {read_parquet([path])})
            GROUP BY reason ORDER BY n DESC, reason
        """).fetchall()
    return dict(counted)


def refused_in(path: Path, *, reason: str | None = None, limit: int | None = None) -> pa.Table:
    """Rows in the order in which they came (schema ``features.events.staging.REFUSED``).

    Args:
        reason: rows that have this among their reasons.
        limit: at most so many rows.
    """
    where = f"WHERE list_contains({REASONS}, {text(reason)})" if reason else ""
    most = f"LIMIT {limit}" if limit is not None else ""
    with duckdb.connect() as connection:
        found = connection.sql(f"SELECT * FROM {read_parquet([path])} {where} ORDER BY {POSITION} {most}")
        return found.to_arrow_table().cast(REFUSED)
