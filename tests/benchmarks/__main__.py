"""All benchmarks that start what they need themselves, one after the other: ``make bench`` prints their JSON.

``serve_speed.py`` asks a running API and is run by hand.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
BENCHMARKS = ("ingest_speed", "feature_speed", "gate_speed", "late_speed", "materialise_speed", "lookup_speed")


def main() -> None:
    machine = {"machine": platform.platform(), "cores": os.cpu_count(), "python": platform.python_version()}
    environment = {**os.environ, "PYTHONPATH": str(HERE.parents[1])}
    found = {}
    for name in BENCHMARKS:
        print(f"{name} ...", file=sys.stderr, flush=True)
        command = [sys.executable, str(HERE / f"{name}.py")]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
        found[name] = json.loads(done.stdout)
    print(json.dumps({**machine, **found}, indent=2))


if __name__ == "__main__":
    main()
