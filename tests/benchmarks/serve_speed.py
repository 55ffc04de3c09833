"""How fast a running API answers: latency of recommendations and events, one JSON object.

    python tests/benchmarks/serve_speed.py --users 13085,17850,12748 --requests 500 --clients 1,4

Each client asks one question after the other over one connection, so a latency includes waiting for
the others. Users are taken in turn; the first ``--warm`` answers are not counted.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice

import httpx
import numpy as np

Ask = Callable[[httpx.Client, str], httpx.Response]


def main() -> None:
    options = arguments()
    users = options.users.split(",")
    asks: dict[str, Ask] = {"recommendations": recommendations, "interest": interest, "events": event}
    figures = [
        {"endpoint": name, "clients": clients, **measure(ask, users, clients, options)}
        for name, ask in asks.items()
        for clients in map(int, options.clients.split(","))
    ]
    model = httpx.get(f"{options.url}/v1/model", trust_env=False).json()
    print(json.dumps({"machine": platform.platform(), "model": model, "figures": figures}, indent=2))


def measure(ask: Ask, users: list[str], clients: int, options: argparse.Namespace) -> dict[str, float]:
    """Latencies in milliseconds over all clients, and answers per second."""
    share = options.requests // clients
    begun = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        runs = [pool.submit(one_client, ask, users[place:] + users[:place], share, options) for place in range(clients)]
        latencies = np.concatenate([run.result()[options.warm // clients :] for run in runs])
    elapsed = time.perf_counter() - begun
    named = {f"p{share}_ms": round(float(np.percentile(latencies, share)), 2) for share in (50, 95, 99)}
    return {**named, "max_ms": round(float(latencies.max()), 2), "per_second": round(options.requests / elapsed, 1)}


def one_client(ask: Ask, users: list[str], requests: int, options: argparse.Namespace) -> list[float]:
    latencies = []
    with httpx.Client(base_url=options.url, timeout=30, trust_env=False) as client:
        for user in islice(cycle(users), requests):
            begun = time.perf_counter()
            ask(client, user).raise_for_status()
            latencies.append((time.perf_counter() - begun) * 1000)
    return latencies


def recommendations(client: httpx.Client, user: str) -> httpx.Response:
    return client.get(f"/v1/users/{user}/recommendations")


def interest(client: httpx.Client, user: str) -> httpx.Response:
    return client.get(f"/v1/users/{user}/interest")


def event(client: httpx.Client, user: str) -> httpx.Response:
    return client.post("/v1/events", json={"user_id": user, "event_type": "login"})


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", default="http://127.0.0.1:18000")
    parser.add_argument("--users", required=True, help="ids, separated by commas")
    parser.add_argument("--requests", type=int, default=500)
    parser.add_argument("--warm", type=int, default=50)
    parser.add_argument("--clients", default="1,4")
    return parser.parse_args()


if __name__ == "__main__":
    main()
