"""The user windows as batch feature views of Feast, for its Spark engine; see ``windows_feast.py``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

DAY_SECONDS = 86_400
#: Of each measure the aggregation of Feast, and the column that it is of.
AGGREGATIONS = {
    "count": ("count", "item_id"),
    "items": ("count_distinct", "item_id"),
    "categories": ("count_distinct", "category"),
    "spend": ("sum", "spend"),
    "dwell": ("sum", "dwell_ms"),
}
DISTINCTS = ("items", "categories")


def source_view(user: Any, events: Path) -> Any:
    """The view of the events as they are."""
    from feast import BatchFeatureView, Field
    from feast.types import Int64, String

    columns = {"item_id": String, "category": String, "event_type": String, "spend": Int64, "dwell_ms": Int64}
    return BatchFeatureView(
        name="events",
        entities=[user],
        schema=[Field(name="user_id", dtype=String), *(Field(name=name, dtype=of) for name, of in columns.items())],
        source=spark_files("events", events),
    )


def view(user: Any, told: Any, out: Path, days: int, end: date, measured: Sequence[tuple[str, str]]) -> Any:
    """The windows of one length on the days before ``end``, from the view ``told`` of the events."""
    from feast import BatchFeatureView, Field
    from feast.aggregation import Aggregation
    from feast.types import Int64, String

    aggregations = []
    for behaviour, measure in measured:
        function, column = AGGREGATIONS[measure]
        name = f"{behaviour}_{measure}_{days}d"
        aggregations.append(
            Aggregation(column=f"{behaviour}_{column}", function=function, time_window=timedelta(days=1), name=name)
        )
    return BatchFeatureView(
        name=f"windows_{days}d",
        entities=[user],
        schema=[Field(name="user_id", dtype=String), *(Field(name=one.name, dtype=Int64) for one in aggregations)],
        source=[told],
        sink_source=spark_files(f"out_{days}", out),
        offline=True,
        udf=spread(days, datetime(end.year, end.month, end.day, tzinfo=UTC), measured),
        aggregations=aggregations,
    )


def spark_files(name: str, path: Path) -> Any:
    from feast.infra.offline_stores.contrib.spark_offline_store.spark_source import SparkSource

    return SparkSource(name=name, path=str(path), file_format="parquet", timestamp_field="event_timestamp")


def spread(days: int, end: datetime, measured: Sequence[tuple[str, str]]) -> Callable[[Any], Any]:
    """Puts each event on the ``days`` days on which it counts, with columns of its own for its behaviour."""
    needed = sorted({(behaviour, AGGREGATIONS[measure][1]) for behaviour, measure in measured})

    def spread(events: Any) -> Any:
        from pyspark.sql import functions as F  # noqa: N812

        later = F.explode(F.sequence(F.lit(0), F.lit(days - 1)))
        moment = F.timestamp_seconds(F.unix_seconds("event_timestamp") + F.col("later") * DAY_SECONDS)
        columns = [
            F.when(F.col("event_type") == behaviour, F.col(column)).alias(f"{behaviour}_{column}")
            for behaviour, column in needed
        ]
        counting = events.withColumn("later", later).withColumn("event_timestamp", moment)
        return counting.filter(F.col("event_timestamp") < F.lit(end)).select("user_id", "event_timestamp", *columns)

    return spread
