"""How fast features are built: the sample's history in one pass, then one day.

Run ``python tests/benchmarks/feature_speed.py``; it works in a temporary home and
prints JSON: seconds, events per second, rows by view, and the peak of the process in MiB.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from peak import peak_mib

from features.build import build
from features.events.arrivals import take_day, take_history
from features.events.publish import publish
from infra.cli.demo.sample import SOURCE, land
from infra.lake import read_json
from infra.partitions import Span
from infra.settings import Settings, load_settings


def measure(settings: Settings, span: Span) -> dict[str, Any]:
    """Build ``span`` and say how fast it went."""
    events = sum(read_json(settings.lake.partition(day))["rows"] for day in span.days())
    before = time.process_time()
    built = build(settings, span)
    return {
        "span": str(span),
        "events": events,
        "seconds": built["seconds"],
        "cpu_seconds": round(time.process_time() - before, 1),
        "events_per_second": round(events / built["seconds"]),
        "rows": built["rows"],
        "peak_mib": peak_mib(),
    }


def main() -> None:
    with tempfile.TemporaryDirectory() as home:
        settings = load_settings(Path(home), clock="2010-12-11T00:00:00+00:00")
        landed = land(settings)
        publish(settings, [take_history(settings, SOURCE, landed.history).delivery_id], gated=False)
        day = next(iter(landed.days.days()))
        publish(settings, [taken.delivery_id for taken in take_day(settings, SOURCE, day)], gated=False)
        json.dump([measure(settings, landed.history), measure(settings, Span.of_day(day))], sys.stdout, indent=2)
        print()


if __name__ == "__main__":
    main()
