"""How fast raw CSV becomes staged events, and in how much memory: prints JSON.

    python tests/benchmarks/ingest_speed.py [--rows 1000000] [--threads 2]

The CSV repeats the sample with shifted invoices, so that no row is a duplicate of another copy's. Each
run has a process of its own, whose peak of resident memory is reported. The peer is what a notebook
would do with pandas: read, drop repeated and unpriced lines, write a Parquet file a day; it keeps no
quarantine, no manifest and no item table.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from datetime import UTC, date, datetime
from pathlib import Path

from peak import peak_mib

PROJECT = Path(__file__).resolve().parents[2]
SAMPLE = PROJECT / "infra" / "sample" / "online_retail_ii_2009_2010.parquet"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--csv", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--only", choices=("penchant", "pandas"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.only:
        run = measure if arguments.only == "penchant" else measure_pandas
        print(json.dumps(run(arguments.csv, arguments.threads)))
        return
    with tempfile.TemporaryDirectory() as folder:
        csv = Path(folder) / "log.csv"
        generate(csv, arguments.rows)
        found = {name: alone(name, csv, arguments.threads) for name in ("penchant", "pandas")}
    ratio = {name: round(found["pandas"][name] / found["penchant"][name], 2) for name in ("seconds", "peak_mib")}
    print(json.dumps({**found, "pandas_to_penchant": ratio}, indent=2))


def alone(name: str, csv: Path, threads: int) -> dict[str, float]:
    """Run one of the two in a process of its own."""
    command = [sys.executable, __file__, "--only", name, "--csv", str(csv), "--threads", str(threads)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=PROJECT)
    return dict(json.loads(done.stdout))


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
    counts = {name: getattr(manifest, name) for name in ("accepted", "duplicate", "quarantined")}
    return {**counts, **cost(manifest.rows_in, started, cpu)}


def measure_pandas(csv: Path, threads: int) -> dict[str, float]:
    """The same file with pandas."""
    import pandas as pd

    started, cpu = time.perf_counter(), time.process_time()
    log = pd.read_csv(csv, dtype={"Invoice": str, "StockCode": str, "Customer ID": str}, parse_dates=["InvoiceDate"])
    kept = log.drop_duplicates()
    kept = kept[(kept["Price"] > 0) & kept["InvoiceDate"].notna() & kept["StockCode"].notna()]
    kept = kept.sort_values(["InvoiceDate", "Invoice", "StockCode"])
    folder = csv.parent / "pandas"
    folder.mkdir()
    for day, events in kept.groupby(kept["InvoiceDate"].dt.date):
        events.to_parquet(folder / f"{day}.parquet")
    return {"accepted": len(kept), **cost(len(log), started, cpu)}


def cost(rows: int, started: float, cpu: float) -> dict[str, float]:
    """What it took since ``started`` (wall) and ``cpu``, and the process's peak of resident memory."""
    seconds = time.perf_counter() - started
    return {
        "rows": rows,
        "seconds": round(seconds, 2),
        "cpu_seconds": round(time.process_time() - cpu, 2),
        "rows_per_second": round(rows / seconds),
        "peak_mib": peak_mib(),
    }


if __name__ == "__main__":
    main()
