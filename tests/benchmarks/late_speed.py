"""How long a late delivery of a thousand rows over thirty days takes on a year of history: prints JSON.

    python tests/benchmarks/late_speed.py

The year is the sample; the late rows are lines of its last thirty days under new invoices, drawn with seed 1,
in one delivery for its last day. Measured are ingest, publishing, and building again what changed, without the
gate, the online store and Airflow. There is no peer: others leave late rows out, or build everything again.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from contextlib import redirect_stdout
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
SAMPLE = PROJECT / "infra" / "sample" / "online_retail_ii_2009_2010.parquet"
YEAR = (date(2009, 12, 1), date(2010, 12, 9))
LATE_ROWS, LATE_DAYS = 1000, 30


def main() -> None:
    sys.path.insert(0, str(PROJECT))
    from dags import steps
    from features.events.ingest import ingest
    from features.events.publish import publish
    from infra.partitions import Span
    from infra.settings import load_settings

    # what a step says of its progress is not part of the answer
    with tempfile.TemporaryDirectory() as folder, redirect_stdout(sys.stderr):
        settings = load_settings(Path(folder) / "home", clock="2010-12-11T00:00:00+00:00")
        history, last = Span(*YEAR), Span.of_day(YEAR[1])
        late = Path(folder) / "late.csv"
        draw(late)
        whole = ingest(settings, "online-retail", [SAMPLE], history, bulk=True, delivered_at=moment(YEAR[1], 1))
        publish(settings, [whole.delivery_id], gated=False)
        steps.build(settings, history)
        started = time.perf_counter()
        manifest = ingest(settings, "online-retail", [late], last, bulk=False, delivered_at=moment(last.end, 1))
        publish(settings, [manifest.delivery_id], gated=False)
        published = time.perf_counter()
        built = steps.build(settings, last)
        done = time.perf_counter()
    found = {
        "late": manifest.late,
        "days_of_late_rows": len(manifest.late_by_day),
        "days_issued_anew": len(built["reissued"]),
        "ingest_and_publish_seconds": round(published - started, 2),
        "build_seconds": round(done - published, 2),
        "seconds": round(done - started, 2),
    }
    print(json.dumps(found, indent=2))


def draw(path: Path) -> None:
    """Write the late rows."""
    import duckdb

    first, end = YEAR[1] - timedelta(days=LATE_DAYS), YEAR[1]
    with duckdb.connect() as connection:
        connection.execute(f"""
            COPY (SELECT * REPLACE ('9' || Invoice AS Invoice) FROM '{SAMPLE}'
                  WHERE CAST(InvoiceDate AS DATE) >= DATE '{first}' AND CAST(InvoiceDate AS DATE) < DATE '{end}'
                  AND Price > 0 AND Quantity > 0 ORDER BY hash(Invoice || StockCode || '1') LIMIT {LATE_ROWS})
            TO '{path}' (HEADER)
        """)


def moment(day: date, hour: int) -> datetime:
    return datetime(day.year, day.month, day.day, hour, tzinfo=UTC)


if __name__ == "__main__":
    main()
