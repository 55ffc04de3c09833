"""How long the features of one day take after a month, half a year and a year of the same traffic.

    python tests/benchmarks/partition_speed.py [--size normal] [--events 2000000] [--users 20000] [--each 30]

All days of the simulated shop are alike: nobody joins, nothing is launched, no season. What came before is built in
one go, then ``--each`` days one at a time, with everything that a day's build does: tiles, all views, and the
checkpoint that falls on one of thirty days, so that thirty days hold a whole round of them. Reported is the median
day. Each of the three has a process of its own, and goes on where the one before it stopped.
"""

from __future__ import annotations

from argparse import Namespace
from datetime import timedelta
from pathlib import Path
from statistics import mean, median
from typing import Any

import simulated
from results import Result, result, say
from runs import alone, folder, made, options_of, stopwatch

from features.build import build
from features.days import built_days
from infra.partitions import Span

AFTER = {"tiny": (5, 12), "normal": (30, 180, 365), "large": (30, 180, 365)}
SIZES = {
    "tiny": {"events": 2_000, "users": 200, "items": 100, "days": 15, "each": 2, "after": 0, "steady": 1},
    "normal": {"events": 2_000_000, "users": 20_000, "items": 5_000, "days": 395, "each": 30, "after": 0, "steady": 1},
}
PACKAGES = ("duckdb", "ibis-framework", "pyarrow")


def days(home: Path, options: Namespace) -> dict[str, Any]:
    """Build up to ``options.after`` days, then one day after the other: the seconds of each of these."""
    settings, span = simulated.settings_of(home, options), simulated.span_of(options)
    first = span.start + timedelta(days=options.after)
    built = built_days(settings)
    build(settings, Span(built[-1] + timedelta(days=1) if built else span.start, first))
    each = []
    for day in Span(first, first + timedelta(days=options.each)).days():
        with stopwatch() as taken:
            build(settings, Span.of_day(day))
        each.append(taken)
    return {name: [taken[name] for taken in each] for name in ("seconds", "cpu_seconds")}


RUNS = {"draw": simulated.draw, "take": simulated.take, "days": days}


def main() -> None:
    options = options_of(__doc__, SIZES)
    if made(options, RUNS):
        return
    with folder() as home:
        accepted = [alone(__file__, name, home, options) for name in ("draw", "take")][-1]["accepted"]
        found = {after: alone(__file__, "days", home, options, after=after) for after in AFTER[options.size]}
    first = median(next(iter(found.values()))["seconds"])
    data = f"{accepted / options.days:,.0f} simulated events a day of {options.users:,} users, {options.each} days"
    say([figure(after, taken, first, data) for after, taken in found.items()])


def figure(after: int, taken: dict[str, Any], first: float, data: str) -> Result:
    """The median day, and how it compares with the first figure's."""
    each, cpu = taken["seconds"], median(taken["cpu_seconds"])
    also = {"times_the_first": round(median(each) / first, 2), "mean_s": round(mean(each), 2), "slowest_s": max(each)}
    return result(
        "partition", f"one day after {after} days", median(each), "s", data, PACKAGES,
        wanted="at most 1.2 x the first", also={**also, "cpu_s": round(cpu, 2), "peak_mib": taken["peak_mib"]},
    )  # fmt: skip


if __name__ == "__main__":
    main()
