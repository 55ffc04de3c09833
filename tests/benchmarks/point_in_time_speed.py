"""How long a training set takes: what was known of a user at a million moments, beside Feast's historical retrieval.

    python tests/benchmarks/point_in_time_speed.py [--size normal] [--rows 1000000]

Users and moments are drawn from a seed, over all days of a simulated year whose features are built; the columns are
those of all views of users. ``ours`` is ``features.store.point_in_time.user_rows``; the peer is
``get_historical_features`` of the same feature service with Feast's own choices: a registry in a file, DuckDB as its
offline store without a limit of memory, and the moment a row became known not looked at. Here every row is known by
the moments that are asked for, so both find the same rows, which a digest holds. Both end with an Arrow table; each
has a process of its own, and the time of imports is left out.
"""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import simulated
from results import Result, result, say
from runs import alone, folder, made, options_of, stopwatch

from features.build import build
from features.events.schema import USER_ID
from features.store.point_in_time import user_rows
from features.store.repository import open_store
from features.view import EVENT_TIMESTAMP
from features.views import SERVICE, views_of
from infra.partitions import day_start
from infra.settings import Settings

SEED = 1
SIZES = {
    "tiny": {"events": 3_000, "users": 300, "items": 200, "days": 20, "rows": 500},
    "normal": {"events": 1_000_000, "users": 20_000, "items": 5_000, "days": 365, "rows": 1_000_000},
}
PACKAGES = ("feast", "duckdb", "ibis-framework", "pyarrow")


def asked(options: Namespace, settings: Settings) -> pa.Table:
    """Users and moments."""
    draw, span = np.random.default_rng(SEED), simulated.span_of(options)
    days = np.array([round(day_start(day, settings.zone).timestamp() * 1e6) for day in span.days()])
    known = settings.history_lag_minutes * 60_000_000
    users = pa.array([f"sim-u{user}" for user in draw.integers(0, options.users, options.rows)])
    moments = draw.choice(days, options.rows) + draw.integers(known, 86_400_000_000, options.rows)
    return pa.table({USER_ID: users, EVENT_TIMESTAMP: pa.array(moments, pa.timestamp("us", tz="UTC"))})


def prepare(home: Path, options: Namespace) -> dict[str, Any]:
    """Draw, ingest and build the shop."""
    simulated.draw(home, options)
    simulated.take(home, options)
    return build(simulated.settings_of(home, options), simulated.span_of(options))


def ours(home: Path, options: Namespace) -> dict[str, Any]:
    settings = simulated.settings_of(home, options)
    wanted = asked(options, settings)
    with stopwatch() as taken:
        found = user_rows(settings, wanted)
    return {**taken, "answer_mib": found.nbytes >> 20, "digest": digest(found, settings)}


def feasts(home: Path, options: Namespace) -> dict[str, Any]:
    settings = simulated.settings_of(home, options)
    wanted = asked(options, settings)
    store = plain_store(home, settings)
    with stopwatch() as taken:
        service = store.get_feature_service(SERVICE)
        found = store.get_historical_features(wanted.to_pandas(), service).to_arrow()
    return {**taken, "digest": digest(found, settings)}


def plain_store(home: Path, settings: Settings) -> Any:
    """Our feature views in a Feast store as its documentation makes one."""
    open_store(settings)  # imports Feast without what its metrics do to this process
    from feast import FeatureStore, RepoConfig

    from features.store.definitions import definitions

    config = RepoConfig(
        project="peer",
        provider="local",
        registry=str(home / "registry.db"),
        offline_store={"type": "duckdb"},
        online_store=None,
        entity_key_serialization_version=3,
    )
    store = FeatureStore(config=config)
    store.apply(definitions(settings))
    return store


def digest(found: pa.Table, settings: Settings) -> str:
    """The same for the same rows in whatever order."""
    import duckdb

    views = [view for view in views_of(settings) if view.entity == USER_ID]
    names = ", ".join(f'"{name}"' for view in views for name in view.columns)
    ((value,),) = duckdb.sql(
        f"SELECT bit_xor(hash({USER_ID}, epoch_us({EVENT_TIMESTAMP}), {names})) FROM found"
    ).fetchall()
    return str(value)


RUNS = {"prepare": prepare, "ours": ours, "feast": feasts}


def main() -> None:
    options = options_of(__doc__, SIZES)
    if made(options, RUNS):
        return
    with folder() as home:
        found = {name: alone(__file__, name, home, options) for name in RUNS}
    if found["ours"]["digest"] != found["feast"]["digest"]:
        raise SystemExit("Feast finds other rows.")
    say([compared(options, found)])


def compared(options: Namespace, found: dict[str, dict[str, Any]]) -> Result:
    mine, theirs = found["ours"], found["feast"]
    return result(
        "point_in_time", f"{options.rows:,} users and moments, all views of users", mine["seconds"], "s",
        f"a simulated shop of about {options.events:,} events and {options.users:,} users in {options.days} days",
        PACKAGES, peer=theirs["seconds"], against="get_historical_features", wanted="faster than Feast",
        also={"peak_mib": mine["peak_mib"], "peer_peak_mib": theirs["peak_mib"], "answer_mib": mine["answer_mib"]},
    )  # fmt: skip


if __name__ == "__main__":
    main()
