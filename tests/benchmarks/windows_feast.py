"""User windows by Feast's Spark compute engine, as far as its aggregations go: a peer of ``windows_speed.py``.

Feast 0.67 knows three ways to time windows on Spark. A ``BatchFeatureView`` with aggregations groups by tumbling
windows (``F.window`` without a slide): the one way that gives rows for every day, if a transformation first puts
each event on all the days on which it counts; that is what runs here, one view a window length, since a view has one.
A ``StreamFeatureView`` with ``enable_tiling`` makes sliding windows, but takes everything to pandas, walks through
every user's every day in Python, cannot count distinct values, and keeps of each user the last row only. And
``slide_interval`` is registered, but not looked at.

Left out, in its favour: rates, trends, last moments, active days, sessions, and everything but the user windows.
``run_sums`` leaves out distinct counts too: with them Spark makes a copy of each row for every one of them.
"""

from __future__ import annotations

import warnings
from argparse import Namespace
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from feast_views import DISTINCTS, source_view, view
from runs import stopwatch
from windows_peers import LENGTHS, MEASURED, peers_events, span_of

from features.engines.spark_home import environment


def run(home: Path, options: Namespace, measured: Sequence[tuple[str, str]] = MEASURED) -> dict[str, Any]:
    """Write all windows, a folder of Parquet a length: the seconds, without starting Spark."""
    from features.engines.spark_session import options as spark_options
    from infra.settings import load_settings
    from infra.spill import spilling

    settings = load_settings(home / "spark", memory_limit="4GB", spark_master="local[2]", engine="spark")
    with warnings.catch_warnings(), spilling(settings) as spill, environment(settings, spill):
        warnings.simplefilter("ignore")
        spark = session({**spark_options(settings, spill), "spark.sql.shuffle.partitions": "8"})
        try:
            with stopwatch() as taken:
                materialise(home, options, measured)
            return {**taken, "java_peak_mib": java_peak_mib(spark)}
        finally:
            spark.stop()


def run_sums(home: Path, options: Namespace) -> dict[str, Any]:
    """The same without distinct counts."""
    return run(home, options, [(behaviour, measure) for behaviour, measure in MEASURED if measure not in DISTINCTS])


def session(conf: dict[str, str]) -> Any:
    """A Spark of this process; Feast takes the one that is active."""
    from pyspark import SparkConf
    from pyspark.sql import SparkSession

    return SparkSession.builder.config(conf=SparkConf(loadDefaults=False).setAll(list(conf.items()))).getOrCreate()


def materialise(home: Path, options: Namespace, measured: Sequence[tuple[str, str]]) -> None:
    """Let Feast's engine make each view."""
    from feast import Entity, FeatureStore, RepoConfig, ValueType
    from feast.infra.common.materialization_job import MaterializationTask

    config = RepoConfig(
        project="peer",
        provider="local",
        registry=str(home / "registry.db"),
        offline_store={"type": "spark"},
        online_store=None,
        batch_engine={"type": "spark.engine"},
        entity_key_serialization_version=3,
    )
    store = FeatureStore(config=config)
    user = Entity(name="user_id", join_keys=["user_id"], value_type=ValueType.STRING)
    span = span_of(options)
    told = source_view(user, peers_events(home, "feast"))
    views = [view(user, told, written(home, days, len(measured)), days, span.end, measured) for days in LENGTHS]
    store.apply([user, told, *views])
    start, end = (datetime(day.year, day.month, day.day, tzinfo=UTC) for day in (span.start, span.end))
    for one in views:
        task = MaterializationTask("peer", one, start, end, only_latest=False)
        (job,) = store._get_provider().batch_engine.materialize(store.registry, task)
        if job.error():
            raise job.error()


def written(home: Path, days: int, measures: int = len(MEASURED)) -> Path:
    """The folder of the windows of one length, of a run of so many measures."""
    return home / f"feast_{measures}_{days}"


def java_peak_mib(spark: Any) -> int:
    """Peak of the resident memory of Spark's Java."""
    from peak import peak_mib

    return peak_mib(spark.sparkContext._gateway.proc.pid)
