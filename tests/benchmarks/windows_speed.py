"""How fast events become the rows of the user windows, beside pandas and Feast's Spark engine.

    python tests/benchmarks/windows_speed.py [--size normal] [--events 3000000] [--users 300000] [--days 60]

The events are simulated, ingested and published before; measured is ``features.build.build`` from them to the files
of all days: its steps to the user windows, which are tiles and users' days from events and windows from these, and
the whole of it.
The peers are given the same events with category and spend joined already. Beside them the time that we take to read
and join (``events``, measured alone) is left out, and so is that of pandas for reading its file. Pandas makes the same
columns, Feast those that its aggregations know (counts, distinct items and categories, spend, dwell time by behaviour).
They are given ``--pandas`` and ``--feast`` per cent of the users, whose share of all events counts as theirs, guests'
too: that is in their favour. That their numbers are ours is tested (``test_windows_peers.py``). Each run has a
process of its own.
"""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import simulated
import windows_feast
import windows_pandas
from results import Result, result, say
from runs import alone, folder, made, options_of, stopwatch
from windows_peers import write_peers_events

from features.behaviour import behaviour
from features.build import build
from features.engine import connect
from features.item_history import item_versions
from features.tiles import TILES
from features.user_days import USER_DAYS
from features.window_views import USER_WINDOWS

SIZES = {
    "tiny": {"events": 3_000, "users": 300, "items": 200, "days": 40, "pandas": 100, "feast": 50},
    "normal": {"events": 3_000_000, "users": 300_000, "items": 20_000, "days": 60, "pandas": 100, "feast": 5},
}
PACKAGES = ("duckdb", "ibis-framework", "pyarrow")


def ours(home: Path, options: Namespace) -> dict[str, Any]:
    """Build every day: seconds by step, the whole, and the rows of the windows."""
    settings, span = simulated.settings_of(home, options), simulated.span_of(options)
    steps: dict[str, float] = {}
    last = time.perf_counter()

    def step(what: str, _at: int, _of: int) -> None:
        nonlocal last
        now, name = time.perf_counter(), what.split()[0]
        steps[name] = steps.get(name, 0.0) + now - last
        last = now

    built = build(settings, span, step)
    return {"steps": steps, "seconds": built["seconds"], "rows": built["rows"][USER_WINDOWS]}


def events(home: Path, options: Namespace) -> dict[str, Any]:
    """Read the events and join what their items were: what comes before the first tile, and what no peer has to do."""
    settings, span = simulated.settings_of(home, options), simulated.span_of(options)
    with connect(settings) as connection, stopwatch() as taken:
        behaviour(connection, settings, span, item_versions(connection, settings))
    return taken


RUNS = {
    "draw": simulated.draw,
    "take": simulated.take,
    "ours": ours,
    "events": events,
    "peers_events": write_peers_events,
    "pandas": windows_pandas.run,
    "feast": windows_feast.run,
    "feast_sums": windows_feast.run_sums,
}


def main() -> None:
    options = options_of(__doc__, SIZES)
    if made(options, RUNS):
        return
    with folder() as home:
        found = {name: alone(__file__, name, home, options) for name in RUNS}
    say(results(options, found))


def results(options: Namespace, found: dict[str, dict[str, Any]]) -> list[Result]:
    """The windows, from events to files, beside each peer, and our steps."""
    events, steps = found["take"]["accepted"], found["ours"]["steps"]
    whole = steps[TILES.name] + steps[USER_DAYS.name] + steps[USER_WINDOWS]
    from_joined = whole - found["events"]["seconds"]
    data = f"{events:,} simulated events of {options.users:,} users in {options.days} days"

    def beside(run: str, share: int, peer: str, wanted: str, packages: Sequence[str]) -> Result:
        return result(
            "windows", f"user windows beside {peer}", events / from_joined, "events/s", data, (*PACKAGES, *packages),
            peer=events * share / 100 / found[run]["seconds"], against=f"{peer}, {share} % of the users",
            wanted=wanted, also={"peer_seconds": round(found[run]["seconds"]), **_peaks(found[run])},
        )  # fmt: skip

    def step(name: str, seconds: float, wanted: str = "", **also: float) -> Result:
        return result("windows", name, events / seconds, "events/s", data, PACKAGES, wanted=wanted, also=also)

    mine, spark = found["ours"], ("feast", "pyspark")
    return [
        step("user windows from published events to files", whole, "300,000 events/s"),
        beside("pandas", options.pandas, "pandas", "20 x pandas", ("pandas",)),
        beside("feast", options.feast, "Feast on Spark", "10 x Feast on Spark", spark),
        beside("feast_sums", options.feast, "Feast on Spark without distinct counts", "", spark),
        step("events read and joined with their items", found["events"]["seconds"]),
        step("tiles from these", steps[TILES.name] - found["events"]["seconds"]),
        step("user windows from tiles", steps[USER_WINDOWS], rows=mine["rows"]),
        step("tiles and all views", mine["seconds"], peak_mib=mine["peak_mib"]),
    ]


def _peaks(peer: dict[str, Any]) -> dict[str, int]:
    return {"peer_peak_mib": peer["peak_mib"] + peer.get("java_peak_mib", 0)}


if __name__ == "__main__":
    main()
