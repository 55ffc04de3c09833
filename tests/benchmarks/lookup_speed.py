"""How long one lookup of everything takes, beside Feast's own get_online_features on the same store.

    python tests/benchmarks/lookup_speed.py [--size normal] [--users 20000] [--items 10000] [--asked 200]

PostgreSQL and Valkey are started for it, in a temporary home, and the drawn rows of ``own_shop.py`` are online.
``user`` is everything about one user; ``with_items`` the same and the windows of ``--asked`` items: for Feast two
calls, since a call has one kind of entity. Both ask ``--requests`` times for the same ids, drawn from the seed, one
after the other, over one connection; the first twenty answers are not counted.
"""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from results import Result, result, say
from runs import alone, made, options_of

SIZES = {
    "tiny": {"users": 200, "items": 100, "asked": 10, "requests": 5},
    "normal": {"users": 20_000, "items": 10_000, "asked": 200, "requests": 500},
}
#: Of each question what p50 and p99 must be.
WANTED = {"user": ("1 ms", "3 ms"), "with_items": ("5 ms", "10 ms")}
DAYS = 2
WARM = 20

Ask = Callable[[str, list[str]], Any]


def main() -> None:
    options = options_of(__doc__, SIZES)
    if made(options, RUNS):
        return
    from own_shop import START, own_shop

    from features.store.materialise import materialise
    from infra.partitions import Span

    with own_shop(options.users, options.items, DAYS) as settings:
        materialise(settings, Span.of_day(START))
        found = {name: alone(__file__, name, settings.home, options) for name in RUNS}
    say(list(results(options, found)))


def results(options: Namespace, found: dict[str, Any]) -> Iterator[Result]:
    """Median and 99th percentile of both questions."""
    names = {"user": "one user with everything", "with_items": f"one user and {options.asked} items"}
    for question, name in names.items():
        mine, theirs = (found[run][question] for run in RUNS)
        for share, wanted in zip(("p50", "p99"), WANTED[question], strict=True):
            yield result(
                "lookup", f"{name}, {share}", mine[share], "ms",
                f"{options.users:,} users and {options.items:,} items online, {options.requests} questions",
                ("feast", "redis", "hiredis"), peer=theirs[share], against="get_online_features", wanted=wanted,
                also={"cpu_ms": mine["cpu"], "peer_cpu_ms": theirs["cpu"]},
            )  # fmt: skip


def measure(home: Path, options: Namespace, opened: Callable[[Any], Ask]) -> dict[str, Any]:
    """Latencies in milliseconds of both questions."""
    from infra.settings import load_settings

    ask = opened(load_settings(home, api_timeout_ms=30_000))
    ask("user-0", [])
    return {"user": latencies(ask, options, 0), "with_items": latencies(ask, options, options.asked)}


def latencies(ask: Ask, options: Namespace, asked: int) -> dict[str, float]:
    """Percentiles, and processor time on average."""
    import numpy as np
    from own_shop import SEED

    rng = np.random.default_rng([SEED, asked])
    taken = []
    for _ in range(options.requests + WARM):
        user = f"user-{rng.integers(options.users)}"
        items = [f"item-{number}" for number in rng.choice(options.items, asked, replace=False)]
        before, cpu = time.perf_counter(), time.process_time()
        ask(user, items)
        taken.append((time.perf_counter() - before, time.process_time() - cpu))
    milliseconds, cpu = np.array(taken[WARM:]).T * 1000
    named = {f"p{share}": float(np.percentile(milliseconds, share)) for share in (50, 99)}
    return {**named, "cpu": round(float(cpu.mean()), 2)}


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


RUNS = {
    "penchant": lambda home, options: measure(home, options, ours),
    "feast": lambda home, options: measure(home, options, feasts),
}

if __name__ == "__main__":
    main()
