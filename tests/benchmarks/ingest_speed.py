"""How fast raw CSV becomes staged events, and in how much memory: prints JSON.

    python tests/benchmarks/ingest_speed.py [--rows 1000000] [--threads 2]

The CSV repeats the sample with shifted invoices, so that no row is a duplicate of another copy's. The
ingest runs in a process of its own, whose peak of resident memory is reported.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, date, datetime
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
SAMPLE = PROJECT / "infra" / "sample" / "online_retail_ii_2009_2010.parquet"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--csv", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.csv:
        print(json.dumps(measure(arguments.csv, arguments.threads)))
        return
    with tempfile.TemporaryDirectory() as folder:
        csv = Path(folder) / "log.csv"
        generate(csv, arguments.rows)
        command = [sys.executable, __file__, "--csv", str(csv), "--threads", str(arguments.threads)]
        print(subprocess.run(command, check=True, capture_output=True, text=True, cwd=PROJECT).stdout.strip())


def generate(csv: Path, rows: int) -> None:
    """Write ``rows`` lines: copy n of the sample has n before each invoice's digits."""
    import duckdb

    with duckdb.connect() as connection:
        total = connection.execute(f"SELECT count(*) FROM '{SAMPLE}'").fetchall()[0][0]
        copies = -(-rows // total)
        connection.execute(f"""
            COPY (SELECT sample.* REPLACE (
                      CASE WHEN copy = 0 THEN Invoice ELSE regexp_replace(Invoice, '(\\d+)', copy || '\\1') END
                      AS Invoice)
                  FROM range({copies}) AS copies(copy), '{SAMPLE}' AS sample LIMIT {rows})
            TO '{csv}' (HEADER, DELIMITER ',')
        """)


def measure(csv: Path, threads: int) -> dict[str, float]:
    """Ingest the file once into an empty lake."""
    sys.path.insert(0, str(PROJECT))
    from features.events.ingest import ingest
    from infra.partitions import Span
    from infra.settings import load_settings

    settings = load_settings(csv.parent / "home", clock="2010-12-10T00:00:00+00:00", threads=threads)
    span = Span(date(2009, 12, 1), date(2010, 12, 10))
    started, cpu = time.perf_counter(), time.process_time()
    manifest = ingest(
        settings, "online-retail", [csv], span, bulk=True, delivered_at=datetime(2010, 12, 10, tzinfo=UTC)
    )
    seconds = time.perf_counter() - started
    return {
        "rows": manifest.rows_in,
        "accepted": manifest.accepted,
        "duplicate": manifest.duplicate,
        "quarantined": manifest.quarantined,
        "csv_mib": round(csv.stat().st_size / 2**20, 1),
        "seconds": round(seconds, 2),
        "cpu_seconds": round(time.process_time() - cpu, 2),
        "rows_per_second": round(manifest.rows_in / seconds),
        "peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


if __name__ == "__main__":
    main()
