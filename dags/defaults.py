"""What all DAGs share: retries, time limits, pools, and the bounds that the shop's clock sets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import Param, TriggerRule
from airflow.sdk.exceptions import AirflowFailException

from infra.clock import WallClock
from infra.errors import PartitionRefused, SettingsError, SkewError
from infra.partitions import day_of, day_start
from infra.pools import PARTITIONS, TRAINING
from infra.settings import Settings

#: What Airflow hands to a task as ``params``.
Params = dict[str, Any] | None

#: The day of a run by hand; a scheduled run has its partition key.
DAY_PARAM = {"day": Param(None, type=["null", "string"], format="date", description="Day of a run by hand.")}

#: Long before any log: runs are bounded by what arrives, not by this.
START = datetime(1990, 1, 1, tzinfo=UTC)

PARTITION_TASK: dict[str, Any] = {
    "owner": "penchant",
    "retries": 3,
    "retry_delay": timedelta(seconds=30),
    "retry_exponential_backoff": 2.0,
    "max_retry_delay": timedelta(minutes=30),
    "execution_timeout": timedelta(minutes=30),
    "pool": PARTITIONS,
}

#: A delivery may be hours late: some five hours of tries, the first after a minute.
ARRIVAL: dict[str, Any] = {"retries": 13, "retry_delay": timedelta(minutes=1)}

TRAINING_TASK: dict[str, Any] = {
    **PARTITION_TASK,
    "retries": 1,
    "execution_timeout": timedelta(hours=3),
    "pool": TRAINING,
}

#: Nothing reads a report but people: it is tried twice, not for long, and goes behind what takes the data forward.
REPORT: dict[str, Any] = {
    "retries": 1,
    "execution_timeout": timedelta(minutes=5),
    "priority_weight": 0,
    "weight_rule": "absolute",
}


def settled(published: Any, report: Any) -> None:
    """End a run well once its data is published, whatever became of the report on it.

    A report that failed stays red in its run. Without this task it would be the last one and fail the run,
    which says that data is missing. It runs nothing, so the scheduler gives it no process.
    """
    last = EmptyOperator(
        task_id="settled",
        trigger_rule=TriggerRule.ALL_DONE_MIN_ONE_SUCCESS,
        doc_md="The data is published; its report was written, or failed and holds up nothing.",
    )
    [published, report] >> last


@contextmanager
def no_retry() -> Iterator[None]:
    """Fail at once where trying again would fail again: a wrong parameter, rows that the gate refused, a skew."""
    try:
        yield
    except (SettingsError, PartitionRefused, SkewError) as error:
        raise AirflowFailException(str(error)) from error


def end_of_schedule(settings: Settings) -> datetime | None:
    """The last midnight that a clock other than the wall's has reached; None for the wall clock.

    A shop whose clock stands in the past must not get runs for days that it has not had.
    """
    clock = settings.shop_clock()
    if isinstance(clock, WallClock):
        return None
    return day_start(day_of(clock.now(), settings.zone), settings.zone)
