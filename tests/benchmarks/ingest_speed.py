"""How fast raw CSV becomes staged events, and in how much memory, beside a notebook's pandas.

    python tests/benchmarks/ingest_speed.py [--size normal] [--rows 1000000] [--threads 2]

The CSV repeats the sample with shifted invoices, so that no row is a duplicate of another copy's. Each
run has a process of its own, whose peak of resident memory is reported. The peer is what a notebook
would do with pandas: read, drop repeated and unpriced lines, write a Parquet file a day; it keeps no
quarantine, no manifest and no item table.
"""

from __future__ import annotations

from argparse import Namespace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from results import result, say
from runs import PROJECT, alone, folder, made, options_of, stopwatch

SAMPLE = PROJECT / "infra" / "sample" / "online_retail_ii_2009_2010.parquet"
SIZES = {"tiny": {"rows": 2_000, "threads": 2}, "normal": {"rows": 1_000_000, "threads": 2}}


def main() -> None:
    options = options_of(__doc__, SIZES)
    if made(options, RUNS):
        return
    with folder() as home:
        generate(home / "log.csv", options.rows)
        found = {name: alone(__file__, name, home, options) for name in RUNS}
    mine, theirs = found["penchant"], found["pandas"]
    also = {name: mine[name] for name in ("accepted", "duplicate", "quarantined", "cpu_seconds", "peak_mib")}
    one = result(
        "ingest", "rows of a CSV staged", options.rows / mine["seconds"], "rows/s",
        f"{options.rows:,} rows of the sample repeated, {options.threads} threads", ("duckdb", "pandas", "pyarrow"),
        peer=options.rows / theirs["seconds"], against="pandas, with nothing kept but the good rows",
        also={**also, "peer_cpu_seconds": theirs["cpu_seconds"], "peer_peak_mib": theirs["peak_mib"]},
    )  # fmt: skip
    say([one])


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


def ours(home: Path, options: Namespace) -> dict[str, Any]:
    """Ingest the file once into an empty lake."""
    from features.events.ingest import ingest
    from infra.partitions import Span
    from infra.settings import load_settings

    settings = load_settings(home / "home", clock="2010-12-10T00:00:00+00:00", threads=options.threads)
    span, told = Span(date(2009, 12, 1), date(2010, 12, 10)), datetime(2010, 12, 10, tzinfo=UTC)
    with stopwatch() as taken:
        manifest = ingest(settings, "online-retail", [home / "log.csv"], span, bulk=True, delivered_at=told)
    return {**{name: getattr(manifest, name) for name in ("accepted", "duplicate", "quarantined")}, **taken}


def pandas(home: Path, _options: Namespace) -> dict[str, Any]:
    """The same file with pandas."""
    import pandas as pd

    days = home / "pandas"
    days.mkdir()
    with stopwatch() as taken:
        dtypes = {"Invoice": str, "StockCode": str, "Customer ID": str}
        log = pd.read_csv(home / "log.csv", dtype=dtypes, parse_dates=["InvoiceDate"])
        kept = log.drop_duplicates()
        kept = kept[(kept["Price"] > 0) & kept["InvoiceDate"].notna() & kept["StockCode"].notna()]
        kept = kept.sort_values(["InvoiceDate", "Invoice", "StockCode"])
        for day, events in kept.groupby(kept["InvoiceDate"].dt.date):
            events.to_parquet(days / f"{day}.parquet")
    return {"accepted": len(kept), **taken}


RUNS = {"penchant": ours, "pandas": pandas}

if __name__ == "__main__":
    main()
