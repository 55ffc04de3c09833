"""Runs the benchmarks one after the other and keeps what they found: ``make bench``.

    python -m tests.benchmarks [windows lookup …] [--size normal|large]

Without names all of them run. What one finds replaces its entries of the same name in ``docs/benchmarks.json``;
those of others stay. ``docs/benchmarks.md`` is written from that file. ``serve_speed.py`` and ``fit_variants.py``
need more than an empty machine and are run by hand.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
DOCS = HERE.parents[1] / "docs"
#: In the order of the page.
BENCHMARKS = (
    "windows", "year", "partition", "point_in_time", "materialise", "lookup", "ingest", "gate", "late", "sample",
)  # fmt: skip

sys.path.insert(0, str(HERE))  # as the scripts themselves find what lies beside them

from page import page  # noqa: E402
from results import Result  # noqa: E402


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--size", choices=("tiny", "normal", "large"), default="normal")
    parser.add_argument("--out", type=Path, default=DOCS, help="folder of benchmarks.json and benchmarks.md")
    options = parser.parse_args(arguments)
    if unknown := sorted(set(options.names) - set(BENCHMARKS)):
        parser.error(f"there is no benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    for name in options.names or BENCHMARKS:
        print(f"{name} ...", file=sys.stderr, flush=True)
        keep(options.out, measured(name, options.size))  # at once: what comes after may fail


def measured(name: str, size: str) -> list[Result]:
    """Run one benchmark."""
    command = [sys.executable, str(HERE / f"{name}_speed.py"), "--size", size]
    environment = {**os.environ, "PYTHONPATH": str(HERE.parents[1])}
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    return [Result.read(entry) for entry in json.loads(done.stdout)]


def keep(out: Path, found: Sequence[Result]) -> None:
    """Put ``found`` beside what is kept in the folder ``out``, and write the page anew."""
    path = out / "benchmarks.json"
    kept = [Result.read(entry) for entry in json.loads(path.read_text())] if path.exists() else []
    by_name = {one.name: one for one in (*kept, *found) if one.benchmark in BENCHMARKS}
    results = sorted(by_name.values(), key=lambda one: BENCHMARKS.index(one.benchmark))
    path.write_text(json.dumps([one.told() for one in results], indent=2, ensure_ascii=False) + "\n")
    (out / "benchmarks.md").write_text(page(results))


if __name__ == "__main__":
    main()
