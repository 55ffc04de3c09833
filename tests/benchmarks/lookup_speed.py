"""How long one lookup of everything takes, beside Feast's own get_online_features on the same store: prints JSON.

    python tests/benchmarks/lookup_speed.py [--users 20000] [--items 10000] [--asked 200] [--requests 500]

PostgreSQL and Valkey are started for it, in a temporary home, and the drawn rows of ``own_shop.py`` are online.
``user`` is everything about one user; ``with_items`` the same and the windows of ``--asked`` items: for Feast two
calls, since a call has one kind of entity. Both ask for the same ids, drawn from the seed, one after the other, over
one connection; the first twenty answers are not counted.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from peak import peak_mib

PROJECT = Path(__file__).resolve().parents[2]
RUNS = ("penchant", "feast")
DAYS = 2
WARM = 20

Ask = Callable[[str, list[str]], Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=20_000)
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--asked", type=int, default=200)
    parser.add_argument("--requests", type=int, default=500)
    parser.add_argument("--home", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--only", choices=RUNS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    sys.path.insert(0, str(PROJECT))
    if arguments.only:
        print(json.dumps(measure(arguments)))
        return
    from own_shop import SEED, START, own_shop

    from features.store.materialise import materialise
    from infra.partitions import Span

    with own_shop(arguments.users, arguments.items, DAYS) as settings:
        materialise(settings, Span.of_day(START))
        found = {name: alone(name, settings.home, arguments) for name in RUNS}
    versions = {name: version(name) for name in ("feast", "redis", "hiredis")}
    print(json.dumps({"seed": SEED, "versions": versions, **found}, indent=2))


def alone(name: str, home: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """Make one run in a process of its own."""
    given = {"--home": home, "--only": name}
    given |= {f"--{option}": getattr(arguments, option) for option in ("users", "items", "asked", "requests")}
    command = [sys.executable, __file__, *(str(part) for pair in given.items() for part in pair)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=PROJECT)
    return dict(json.loads(done.stdout))


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Latencies in milliseconds of both questions."""
    from infra.settings import load_settings

    settings = load_settings(arguments.home, api_timeout_ms=30_000)
    started = time.perf_counter()
    ask = {"penchant": ours, "feast": feasts}[arguments.only](settings)
    ask("user-0", [])
    opened = round(time.perf_counter() - started, 2)
    return {
        "seconds_to_first_answer": opened,
        "user": latencies(ask, arguments, 0),
        "with_items": latencies(ask, arguments, arguments.asked),
        "peak_mib": peak_mib(),
    }


def latencies(ask: Ask, arguments: argparse.Namespace, asked: int) -> dict[str, float]:
    import numpy as np
    from own_shop import SEED

    rng = np.random.default_rng([SEED, asked])
    taken = []
    for _ in range(arguments.requests + WARM):
        user = f"user-{rng.integers(arguments.users)}"
        items = [f"item-{number}" for number in rng.choice(arguments.items, asked, replace=False)]
        before, cpu = time.perf_counter(), time.process_time()
        ask(user, items)
        taken.append((time.perf_counter() - before, time.process_time() - cpu))
    milliseconds, cpu = np.array(taken[WARM:]).T * 1000
    named = {f"p{share}_ms": round(float(np.percentile(milliseconds, share)), 2) for share in (50, 95, 99)}
    return {**named, "cpu_ms": round(float(cpu.mean()), 2)}


def ours(settings: Any) -> Ask:
    from features.store.lookup import Lookup

    lookup = Lookup(settings)
    moment = lookup.materialised_through()
    return lambda user, items: lookup.look_up({"user_id": [user], "item_id": items}, moment)


def feasts(settings: Any) -> Ask:
    from features.store.repository import open_store
    from features.views import SERVICE
    from features.window_views import ITEM_WINDOWS

    store = open_store(settings)
    service = store.get_feature_service(SERVICE)
    windows = [f"{ITEM_WINDOWS}:{field.name}" for field in store.get_feature_view(ITEM_WINDOWS).features]

    def ask(user: str, items: list[str]) -> Any:
        answers = [store.get_online_features(service, {"user_id": [user]}).to_dict(True)]
        if items:
            answers.append(store.get_online_features(windows, {"item_id": items}).to_dict(True))
        return answers

    return ask


if __name__ == "__main__":
    main()
