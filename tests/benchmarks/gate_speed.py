"""How fast a delivery is held against the gate's rules, beside plain Great Expectations on pandas.

    python tests/benchmarks/gate_speed.py [--size normal] [--rows 2000000] [--rules 12] [--threads 2]

The rows are drawn from ``hash(row, SEED)``: four days, one Parquet file each, good but for a few guests. Each
run has a process of its own, whose peak of resident memory is reported. The peer reads the same files into
a frame, of the columns that its rules look at, and runs the same expectations; the time of imports is
left out of both. ``whole_suite`` is what the gate really asks of a delivery.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from results import Result, result, say
from runs import alone, folder, made, options_of, stopwatch

SEED = 1
DAYS = [date(2010, 12, day) for day in (1, 2, 3, 4)]
#: In this order: those asked of every row first.
RULES = (
    "event_id_unique", "type_unknown", "item_missing", "price_negative", "price_too_large", "quantity_not_positive",
    "before_1990", "in_the_future", "currency_unreadable", "rating_out_of_range", "user_id_too_long", "dwell_negative",
)  # fmt: skip
SIZES = {
    "tiny": {"rows": 2_000, "rules": len(RULES), "threads": 2},
    "normal": {"rows": 2_000_000, "rules": len(RULES), "threads": 2},
}


def main() -> None:
    options = options_of(__doc__, SIZES)
    if made(options, RUNS):
        return
    with folder() as home:
        generate(home, options.rows)
        found = {name: alone(__file__, name, home, options) for name in RUNS}
    say(results(options, found))


def results(options: Namespace, found: dict[str, Any]) -> list[Result]:
    """The chosen rules beside the peer, and the whole suite."""
    packages, data = ("great-expectations", "duckdb", "pandas", "pyarrow"), f"{options.rows:,} drawn rows of four days"
    mine, theirs, whole = (found[name] for name in ("engine", "pandas", "whole_suite"))
    return [
        result(
            "gate", f"{mine['rules']} rules", options.rows / mine["seconds"], "rows/s", data, packages,
            peer=options.rows / theirs["seconds"], against="Great Expectations on pandas",
            also={"peak_mib": mine["peak_mib"], "peer_peak_mib": theirs["peak_mib"]},
        ),
        result(
            "gate", f"the whole suite of {whole['rules']} rules", options.rows / whole["seconds"], "rows/s", data,
            packages, also={"peak_mib": whole["peak_mib"]},
        ),
    ]  # fmt: skip


def generate(home: Path, rows: int) -> None:
    """Stage a delivery of ``rows`` events."""
    import duckdb

    folder = home / "lake" / "staging" / "d1"
    folder.mkdir(parents=True)
    each = rows // len(DAYS)
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for number, day in enumerate(DAYS):
            connection.execute(f"""
                COPY (SELECT md5('{number}-' || n) AS event_id,
                    CASE WHEN draw % 10 > 0 THEN 'u' || draw % 50021 END AS user_id, 'i' || draw % 20011 AS item_id,
                    (['view', 'click', 'cart', 'purchase'])[1 + draw % 4] AS event_type,
                    TIMESTAMPTZ '{day} 00:00:00+00' + to_milliseconds(n * 86400000 // {each}) AS occurred_at,
                    TIMESTAMPTZ '2010-12-06 00:00:00+00' AS ingested_at, false AS ingested_assumed,
                    n AS source_position, 's' || draw % 100003 AS session_id, draw % 9973 AS dwell_ms,
                    CAST(1 AS BIGINT) AS quantity, 100 + draw % 4999 AS price, 'GBP' AS currency, false AS is_bot,
                    CAST(draw % 11 AS DOUBLE) AS rating, CAST(NULL AS VARCHAR) AS text, 'canonical' AS source,
                    'd1' AS delivery_id
                FROM (SELECT n, CAST(hash(n, {SEED}) >> 2 AS BIGINT) AS draw FROM range({each}) AS rows(n)))
                TO '{folder}/dt={day}.parquet' (COMPRESSION zstd, ROW_GROUP_SIZE 100000)
            """)


def measure(home: Path, options: Namespace, whole: bool, run: Callable[..., bool] | None = None) -> dict[str, Any]:
    """Hold the staged rows against the chosen rules, or the whole suite, once."""
    from features.events.manifest import Manifest
    from infra.settings import load_settings
    from validation import batch
    from validation.expectations import Suites
    from validation.suites import Suite, events_suite

    settings = load_settings(home, threads=options.threads)
    known: dict[str, Any] = {"source": "canonical", "files": (), "bulk": False, "ingested_at_rule": "", "accepted": 0}
    known |= {"span_start": DAYS[0], "span_end": date(2010, 12, 5), "delivered_at": datetime(2010, 12, 6, tzinfo=UTC)}
    rows = options.rows // len(DAYS) * len(DAYS)
    manifest = Manifest(delivery_id="d1", rule_version="1", **{**known, "accepted": rows})
    files, suite = batch.delivery_files(settings, manifest), events_suite(settings, manifest)
    chosen = Suite("chosen", "1", tuple(rule for rule in suite.rules if rule.name in RULES[: options.rules]))
    asked = suite if whole else chosen

    def counted(asked: Suite, files: Sequence[Path]) -> bool:
        with batch.opened(settings, manifest, files) as connection:
            return all(outcome.success for outcome in Suites().count(asked, "d1", connection))

    with stopwatch() as taken:
        good = (run or counted)(asked, files)
    if not good:
        raise SystemExit("Good rows were found to break a rule.")
    return {"rules": len(asked.rules), **taken}


def plain(suite: Any, files: Sequence[Path]) -> bool:
    """The same expectations as one would write them with pandas."""
    import great_expectations as gx
    import pandas as pd

    from validation.context import context
    from validation.expectations import FORMAT, expected
    from validation.rules import EVENT_KEY

    needed = dict.fromkeys(["event_type", "event_id", *(rule.column for rule in suite.rules)])
    columns = [column for column in needed if column != EVENT_KEY]
    frames = [pd.read_parquet(path, columns=columns) for path in files]
    for path, day in zip(files, frames, strict=True):
        day[EVENT_KEY] = path.stem.removeprefix("dt=") + " " + day["event_id"]
    frame = pd.concat(frames, ignore_index=True)
    held = context()
    batch = held.data_sources.add_pandas("d1").add_dataframe_asset("d1").add_batch_definition_whole_dataframe("d1")
    rules = held.suites.add(gx.ExpectationSuite(name="d1", expectations=list(map(expected, suite.rules))))
    definition = held.validation_definitions.add(gx.ValidationDefinition(name="d1", data=batch, suite=rules))
    return bool(definition.run(batch_parameters={"dataframe": frame}, result_format=FORMAT).success)


RUNS = {
    "engine": lambda home, options: measure(home, options, whole=False),
    "pandas": lambda home, options: measure(home, options, whole=False, run=plain),
    "whole_suite": lambda home, options: measure(home, options, whole=True),
}

if __name__ == "__main__":
    main()
