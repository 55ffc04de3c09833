"""How fast features are built from the sample: its history in one pass, then one day.

    python tests/benchmarks/sample_speed.py [--size normal] [--days 400]

The history is the demo's, of it the first ``--days``. It works in a temporary home, in one process. There is no peer;
for one see ``windows_speed.py``.
"""

from __future__ import annotations

from datetime import timedelta

from results import Result, result, say
from runs import folder, options_of, stopwatch

from features.build import build
from features.events.arrivals import take_day, take_history
from features.events.publish import publish
from infra.cli.demo.sample import SOURCE, land
from infra.lake import read_json
from infra.partitions import Span
from infra.settings import Settings, load_settings

SIZES = {"tiny": {"days": 15}, "normal": {"days": 400}}


def main() -> None:
    options = options_of(__doc__, SIZES)
    with folder() as home:
        settings = load_settings(home, clock="2010-12-11T00:00:00+00:00")
        landed = land(settings)
        publish(settings, [take_history(settings, SOURCE, landed.history).delivery_id], gated=False)
        day = next(iter(landed.days.days()))
        publish(settings, [taken.delivery_id for taken in take_day(settings, SOURCE, day)], gated=False)
        start = landed.history.start
        history = Span(start, min(start + timedelta(days=options.days), landed.history.end))
        found = [
            measured(settings, history, "the sample's history built"),
            measured(settings, Span.of_day(history.end), "one day of the sample built after it"),
        ]
    say(found)


def measured(settings: Settings, span: Span, name: str) -> Result:
    """Build ``span`` and say how fast it went."""
    events = sum(read_json(settings.lake.partition(day))["rows"] for day in span.days())
    with stopwatch() as taken:
        built = build(settings, span)
    also = {"cpu_seconds": taken["cpu_seconds"], "events_per_second": round(events / taken["seconds"]), **built["rows"]}
    return result(
        "sample", name, taken["seconds"], "s", f"{events:,} events, {span}",
        ("duckdb", "ibis-framework", "pyarrow"), also=also,
    )  # fmt: skip


if __name__ == "__main__":
    main()
