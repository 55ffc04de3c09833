"""The quarantine, to read: rows that were refused, with the original and every reason."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa

from features.events.parsed import FILE, REASONS, ROW
from features.events.schema import DELIVERY_ID
from features.events.scratch import listing, text
from features.events.staging import REFUSED
from infra.lake import Lake


def by_reason(lake: Lake, delivery_id: str | None = None) -> dict[str, int]:
    """Refused rows per reason, most frequent first; a row counts for each of its reasons."""
    files = _files(lake, delivery_id)
    if not files:
        return {}
    with duckdb.connect() as connection:
        counted = connection.execute(f"""
            SELECT reason, count(*) AS n FROM (SELECT unnest({REASONS}) AS reason FROM read_parquet({listing(files)}))
            GROUP BY reason ORDER BY n DESC, reason
        """).fetchall()
    return dict(counted)


def refused(
    lake: Lake, *, delivery_id: str | None = None, reason: str | None = None, limit: int | None = None
) -> pa.Table:
    """Refused rows by delivery, file and row (schema ``features.events.staging.REFUSED``).

    Args:
        delivery_id: of this delivery only.
        reason: rows that have this among their reasons.
        limit: at most so many rows.
    """
    files = _files(lake, delivery_id)
    if not files:
        return REFUSED.empty_table()
    where = f"WHERE list_contains({REASONS}, {text(reason)})" if reason else ""
    most = f"LIMIT {limit}" if limit is not None else ""
    with duckdb.connect() as connection:
        found = connection.sql(f"""
            SELECT {", ".join(REFUSED.names)} FROM read_parquet({listing(files)}) {where}
            ORDER BY {DELIVERY_ID}, {FILE}, {ROW} {most}
        """).to_arrow_table()
    return found.cast(REFUSED)


def _files(lake: Lake, delivery_id: str | None) -> list[Path]:
    """Files of published deliveries; a delivery still in staging has refused nothing yet."""
    manifests = [path for path in lake.published() if delivery_id in (None, path.stem)]
    return [lake.quarantine(path.stem) for path in manifests]
