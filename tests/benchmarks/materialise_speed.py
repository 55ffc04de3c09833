"""How fast changed rows go online, beside Feast's own materialize on the same rows and store.

    python tests/benchmarks/materialise_speed.py [--size normal] [--users 20000] [--items 10000] [--days 3]

PostgreSQL and Valkey are started for it, in a temporary home, and Valkey is emptied before each run. The rows are
drawn from a seed (``own_shop.py``). Each run has a process of its own, whose peak of resident memory is reported;
the time of imports is left out. What is measured is everything from the files to the registry: ``penchant`` is
``features.store.materialise``, ``feast`` is ``FeatureStore.materialize`` with Feast's own online store on Redis,
after the same ``apply``.
"""

from __future__ import annotations

import io
from argparse import Namespace
from collections.abc import Callable
from contextlib import redirect_stdout
from datetime import timedelta
from pathlib import Path
from typing import Any

from results import result, say
from runs import alone, made, options_of, stopwatch

SIZES = {
    "tiny": {"users": 200, "items": 100, "days": 3},
    "normal": {"users": 20_000, "items": 10_000, "days": 3},
}


def main() -> None:
    options = options_of(__doc__, SIZES)
    if made(options, RUNS):
        return
    from own_shop import own_shop

    with own_shop(options.users, options.items, options.days) as settings:
        found = {name: alone(__file__, name, settings.home, options) for name in RUNS}
    mine, theirs = found["penchant"], found["feast"]
    one = result(
        "materialise", "changed rows to Valkey", mine["rows"] / mine["seconds"], "rows/s",
        f"{mine['rows']:,} last rows of all views, files of {options.days} days",
        ("feast", "redis", "duckdb", "pyarrow"), peer=theirs["rows"] / theirs["seconds"],
        against="Feast's materialize", wanted="5 x Feast",
        also={"peak_mib": mine["peak_mib"], "peer_peak_mib": theirs["peak_mib"]},
    )  # fmt: skip
    say([one])


def measure(home: Path, options: Namespace, run: Callable[..., Any]) -> dict[str, Any]:
    """Empty the store, write every row that is to be online, and count them."""
    from own_shop import START, entities

    from features.store.repository import open_store
    from features.views import views_of
    from infra.partitions import Span
    from infra.settings import load_settings
    from infra.valkey import valkey

    settings, span = load_settings(home), Span(START, START + timedelta(days=options.days))
    open_store(settings)
    counts = {view.name: entities(view, options.users, options.items) for view in views_of(settings)}
    with valkey(settings) as client:
        client.flushall()
        with stopwatch() as taken:
            run(settings, span)
        if client.dbsize() < sum({view.entity: counts[view.name] for view in views_of(settings)}.values()):
            raise SystemExit("Not every user, item and category is online.")
    return {"rows": sum(counts.values()), **taken}


def ours(settings: Any, span: Any) -> None:
    from features.store.materialise import materialise

    materialise(settings, span)


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


RUNS = {
    "penchant": lambda home, options: measure(home, options, ours),
    "feast": lambda home, options: measure(home, options, plain),
}

if __name__ == "__main__":
    main()
