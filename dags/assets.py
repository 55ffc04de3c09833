"""What the DAGs publish and listen for, and how partition keys map from one to the next.

A partition of ``events`` and ``features`` is a shop day, keyed ``YYYY-MM-DD``; of ``history`` the
span that one bulk load covered, keyed ``YYYY-MM-DD..YYYY-MM-DD``; of ``model_version`` and
``champion`` the number of the registered version.
"""

from __future__ import annotations

from airflow.sdk import (
    Asset,
    CronPartitionTimetable,
    CronTriggerTimetable,
    IdentityMapper,
    PartitionedAssetTimetable,
    RollupMapper,
    StartOfWeekMapper,
    WeekWindow,
)

DAY_FORMAT = "%Y-%m-%d"

EVENTS = Asset("events")
FEATURES = Asset("features")
#: Days of features that a late row or a replay changed after they were issued. An asset of its own: on
#: ``features`` they would complete weeks that were trained long ago.
FEATURES_REISSUED = Asset("features_reissued")
HISTORY = Asset("history")
MODEL_VERSION = Asset("model_version")
CHAMPION = Asset("champion")


def daily(timezone: str) -> CronPartitionTimetable:
    """Every midnight of the shop, for the day that is just over."""
    return CronPartitionTimetable("0 0 * * *", timezone=timezone, run_offset=-1, key_format=DAY_FORMAT)


def weekly(timezone: str) -> CronTriggerTimetable:
    """Every Monday at four of the shop: after the last day of the week is in."""
    return CronTriggerTimetable("0 4 * * 1", timezone=timezone)


def every_partition_of(asset: Asset) -> PartitionedAssetTimetable:
    """One run for each partition, under the same key."""
    return PartitionedAssetTimetable(assets=asset)


def history_or_week(timezone: str) -> PartitionedAssetTimetable:
    """A run after each bulk load, and one after each Monday-to-Sunday week whose seven days are there."""
    days_of_week = StartOfWeekMapper(timezone=timezone, input_format=DAY_FORMAT)
    return PartitionedAssetTimetable(
        assets=HISTORY | FEATURES,
        partition_mapper_config={
            HISTORY: IdentityMapper(),
            FEATURES: RollupMapper(upstream_mapper=days_of_week, window=WeekWindow()),
        },
    )
