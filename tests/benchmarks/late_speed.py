"""How long a late delivery of a thousand rows over thirty days takes on a year of history.

    python tests/benchmarks/late_speed.py [--size normal] [--rows 1000] [--days 373]

The year is the sample, or its last ``--days``; the late rows are lines of its last thirty days under new invoices,
drawn with seed 1, in one delivery for its last day. Measured are ingest, publishing, and building again what changed,
without the gate, the online store and Airflow. There is no peer: others leave late rows out, or build everything again.
"""

from __future__ import annotations

import sys
import time
from contextlib import redirect_stdout
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from results import result, say
from runs import PROJECT, folder, options_of

from infra.partitions import Span

SAMPLE = PROJECT / "infra" / "sample" / "online_retail_ii_2009_2010.parquet"
END = date(2010, 12, 10)
LATE_DAYS = 30
SIZES = {"tiny": {"rows": 20, "days": 40}, "normal": {"rows": 1000, "days": 373}}


def main() -> None:
    options = options_of(__doc__, SIZES)
    from dags import steps
    from features.events.ingest import ingest
    from features.events.publish import publish
    from infra.settings import load_settings

    # what a step says of its progress is not part of the answer
    with folder() as home, redirect_stdout(sys.stderr):
        settings = load_settings(home / "home", clock="2010-12-11T00:00:00+00:00")
        last = Span.of_day(END - timedelta(days=1))
        history = Span(END - timedelta(days=options.days), last.start)
        log, late = home / "log.parquet", home / "late.csv"
        draw(log, late, history, options.rows)
        whole = ingest(settings, "online-retail", [log], history, bulk=True, delivered_at=moment(last.start, 1))
        publish(settings, [whole.delivery_id], gated=False)
        steps.build(settings, history)
        started = time.perf_counter()
        manifest = ingest(settings, "online-retail", [late], last, bulk=False, delivered_at=moment(last.end, 1))
        publish(settings, [manifest.delivery_id], gated=False)
        published = time.perf_counter()
        built = steps.build(settings, last)
        done = time.perf_counter()
    also = {
        "days_of_late_rows": len(manifest.late_by_day),
        "days_issued_anew": len(built["reissued"]),
        "ingest_and_publish_s": round(published - started, 2),
        "build_s": round(done - published, 2),
    }
    data = f"{manifest.late:,} late rows of the last {LATE_DAYS} days of {len(history)} of the sample"
    say([result("late", f"{options.rows:,} late rows", done - started, "s", data, ("duckdb", "pyarrow"), also=also)])


def draw(log: Path, late: Path, history: Span, rows: int) -> None:
    """Write the lines of ``history``, and those that come late."""
    import duckdb

    day, first, end = "CAST(InvoiceDate AS DATE)", history.end - timedelta(days=LATE_DAYS), history.end
    with duckdb.connect() as connection:
        connection.execute(f"""
            COPY (SELECT * FROM '{SAMPLE}' WHERE {day} >= DATE '{history.start}' AND {day} < DATE '{end}') TO '{log}'
        """)
        connection.execute(f"""
            COPY (SELECT * REPLACE ('9' || Invoice AS Invoice) FROM '{SAMPLE}'
                  WHERE {day} >= DATE '{first}' AND {day} < DATE '{end}' AND Price > 0 AND Quantity > 0
                  ORDER BY hash(Invoice || StockCode || '1') LIMIT {rows})
            TO '{late}' (HEADER)
        """)


def moment(day: date, hour: int) -> datetime:
    return datetime(day.year, day.month, day.day, hour, tzinfo=UTC)


if __name__ == "__main__":
    main()
