"""The quarantine, to read: rows that were refused, with the original and every reason."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb
import pyarrow as pa

from features.events.parsed import FILE, REASONS, ROW
from features.events.schema import DELIVERY_ID
from features.events.scratch import listing, text
from features.events.staging import REFUSED, STAGED_QUARANTINE
from infra.lake import Lake


def by_reason(lake: Lake, delivery_id: str | None = None) -> dict[str, int]:
    """Refused rows of published deliveries per reason, most frequent first; a row counts for each of its reasons."""
    return reasons_in(_files(lake, delivery_id))


def refused(
    lake: Lake, *, delivery_id: str | None = None, reason: str | None = None, limit: int | None = None
) -> pa.Table:
    """Refused rows of published deliveries by delivery, file and row (schema ``features.events.staging.REFUSED``).

    Args:
        delivery_id: of this delivery only.
        reason: rows that have this among their reasons.
        limit: at most so many rows.
    """
    return refused_in(_files(lake, delivery_id), reason=reason, limit=limit)


def quarantine_of(lake: Lake, delivery_id: str) -> Path:
    """The quarantine of a delivery: staged, or published if it is no longer staged."""
    staged = lake.staging(delivery_id) / STAGED_QUARANTINE
    return staged if staged.exists() else lake.quarantine(delivery_id)


def reasons_in(files: Sequence[Path]) -> dict[str, int]:
    """Like ``by_reason``, of these files."""
    if not files:
        return {}
    with duckdb.connect() as connection:
        counted = connection.execute(f"""
            SELECT reason, count(*) AS n
            FROM (SELECT unnest({REASONS}) AS reason FROM read_parquet({listing(list(files))}))
            GROUP BY reason ORDER BY n DESC, reason
        """).fetchall()
    return dict(counted)


def refused_in(files: Sequence[Path], *, reason: str | None = None, limit: int | None = None) -> pa.Table:
    """Like ``refused``, of these files."""
    if not files:
        return REFUSED.empty_table()
    where = f"WHERE list_contains({REASONS}, {text(reason)})" if reason else ""
    most = f"LIMIT {limit}" if limit is not None else ""
    with duckdb.connect() as connection:
        found = connection.sql(f"""
            SELECT {", ".join(REFUSED.names)} FROM read_parquet({listing(list(files))}) {where}
            ORDER BY {DELIVERY_ID}, {FILE}, {ROW} {most}
        """).to_arrow_table()
    return found.cast(REFUSED)


def _files(lake: Lake, delivery_id: str | None) -> list[Path]:
    """Files of published deliveries; a delivery still in staging has refused nothing yet."""
    manifests = [path for path in lake.published() if delivery_id in (None, path.stem)]
    return [lake.quarantine(path.stem) for path in manifests]
