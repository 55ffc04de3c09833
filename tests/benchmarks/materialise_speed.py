"""How fast changed rows go online, beside Feast's own materialize on the same rows and store: prints JSON.

    python tests/benchmarks/materialise_speed.py [--users 20000] [--items 10000] [--days 3]

PostgreSQL and Valkey are started for it, in a temporary home, and Valkey is emptied before each run. The rows are
drawn from a seed (``own_shop.py``). Each run has a process of its own, whose peak of resident memory is reported;
the time of imports is left out. What is measured is everything from the files to the registry: ``penchant`` is
``features.store.materialise``, ``feast`` is ``FeatureStore.materialize`` with Feast's own online store on Redis,
after the same ``apply``.
"""

from __future__ import annotations

import argparse
import io
import json
import subprocess
import sys
import time
from contextlib import redirect_stdout
from importlib.metadata import version
from pathlib import Path
from typing import Any

from peak import peak_mib

PROJECT = Path(__file__).resolve().parents[2]
RUNS = ("penchant", "feast")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=20_000)
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--days", type=int, default=3)
    parser.add_argument("--home", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--only", choices=RUNS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.only:
        print(json.dumps(measure(arguments)))
        return
    sys.path.insert(0, str(PROJECT))
    from own_shop import own_shop

    with own_shop(arguments.users, arguments.items, arguments.days) as settings:
        found = {name: alone(name, settings.home, arguments) for name in RUNS}
    ratio = round(found["penchant"]["rows_per_second"] / found["feast"]["rows_per_second"], 1)
    versions = {name: version(name) for name in ("feast", "redis", "duckdb", "pyarrow")}
    print(json.dumps({"versions": versions, **found, "penchant_to_feast": ratio}, indent=2))


def alone(name: str, home: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """Make one run in a process of its own."""
    given = {"--home": home, "--only": name}
    given |= {f"--{option}": getattr(arguments, option) for option in ("users", "items", "days")}
    command = [sys.executable, __file__, *(str(part) for pair in given.items() for part in pair)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=PROJECT)
    return dict(json.loads(done.stdout))


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Empty the store, write every row that is to be online, and count them."""
    sys.path.insert(0, str(PROJECT))
    from datetime import timedelta

    from own_shop import CATEGORIES, START

    from features.store.materialise import materialise
    from features.store.repository import open_store
    from infra.partitions import Span
    from infra.settings import load_settings
    from infra.valkey import valkey

    settings, span = load_settings(arguments.home), Span(START, START + timedelta(days=arguments.days))
    open_store(settings)
    with valkey(settings) as client:
        client.flushall()
        before, started = time.process_time(), time.perf_counter()
        run = {"penchant": materialise, "feast": plain}[arguments.only]
        run(settings, span)
        seconds, cpu = time.perf_counter() - started, time.process_time() - before
        if client.dbsize() < arguments.users + arguments.items + CATEGORIES:
            raise SystemExit("Not every user, item and category is online.")
    rows = 4 * arguments.users + arguments.items + CATEGORIES
    figures = {"seconds": round(seconds, 2), "cpu_seconds": round(cpu, 2), "rows_per_second": round(rows / seconds)}
    return {"rows": rows, **figures, "peak_mib": peak_mib()}


def plain(settings: Any, span: Any) -> None:
    """The same rows with nothing but Feast."""
    from feast import FeatureStore

    from features.engine import default_engine
    from features.store.repository import apply, open_store
    from infra.partitions import day_end

    apply(settings)
    config = open_store(settings).config.model_copy()
    feasts = {name: value for name, value in config.online_config.items() if name != "inbox_address"}
    config.online_config = {**feasts, "type": "redis"}
    config._online_store = None
    ends = [day_end(day, settings.zone) for day in span.days()]
    with default_engine(settings), redirect_stdout(io.StringIO()):
        FeatureStore(config=config).materialize(ends[0], ends[-1])


if __name__ == "__main__":
    main()
