"""How long the features of a year take as its events become more, and in how much memory.

    python tests/benchmarks/year_speed.py [--size normal|large] [--events 1000000] [--steps 3]

Three years with ``--events`` of them, three times and ten times as many, in shops whose users and items are as many
more: 60 events a user in a year. ``large`` begins with ten million and ends with a hundred; it takes hours and 40 GB.
What is reported is ``features.build.build`` over the year, tiles and all views, with the settings of a newcomer;
drawing the log and ingesting it come before and are told apart. Every stage has a process of its own, so that each
peak of memory is one stage's. There is no peer: pandas holds no hundred million events.
"""

from __future__ import annotations

import shutil
from argparse import Namespace
from pathlib import Path
from typing import Any

import simulated
from results import Result, result, say
from runs import alone, folder, made, options_of, stopwatch

from features import build as features

SIZES = {
    "tiny": {"events": 10_000, "steps": 2, "days": 40, "users": 0, "items": 0},
    "normal": {"events": 1_000_000, "steps": 3, "days": 365, "users": 0, "items": 0},
    "large": {"events": 10_000_000},
}
STEPS = (1, 3, 10)
EVENTS_A_USER, EVENTS_AN_ITEM = 60, 500
PACKAGES = ("duckdb", "ibis-framework", "pyarrow")


def build(home: Path, options: Namespace) -> dict[str, Any]:
    """Build the year: ``seconds``."""
    with stopwatch() as taken:
        features.build(simulated.settings_of(home, options), simulated.span_of(options))
    return taken


RUNS = {"draw": simulated.draw, "take": simulated.take, "build": build}


def main() -> None:
    options = options_of(__doc__, SIZES)
    if made(options, RUNS):
        return
    say([year(options, options.events * step) for step in STEPS[: options.steps]])


def year(options: Namespace, events: int) -> Result:
    """Measure one year, and leave nothing of it."""
    shop = {"events": events, "users": events // EVENTS_A_USER, "items": max(50, events // EVENTS_AN_ITEM)}
    with folder() as home:
        found = {name: alone(__file__, name, home, options, **shop) for name in ("draw", "take")}
        shutil.rmtree(home / "log")
        found["build"] = alone(__file__, "build", home, options, **shop)
    accepted, seconds = found["take"]["accepted"], found["build"]["seconds"]
    return result(
        "year", f"a year of {events:,} events", seconds, "s",
        f"{accepted:,} simulated events of {shop['users']:,} users in {options.days} days", PACKAGES,
        wanted="linear or better; at most 4,096 MiB with 100 million",
        also={
            "events_per_second": round(accepted / seconds),
            "cpu_seconds": round(found["build"]["cpu_seconds"]),
            "build_peak_mib": found["build"]["peak_mib"],
            "ingest_events_per_second": round(accepted / found["take"]["seconds"]),
            "ingest_peak_mib": found["take"]["peak_mib"],
            "draw_events_per_second": round(accepted / found["draw"]["seconds"]),
            "draw_peak_mib": found["draw"]["peak_mib"],
        },
    )  # fmt: skip


if __name__ == "__main__":
    main()
