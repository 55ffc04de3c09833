"""### One shop day of events

Every midnight of the shop: takes the files under `landing/<source>/dt=DAY/` and the events that the
API took since the last export, holds them against the expectations, publishes them and closes the day. Its
partition of the asset `events` starts `build_features` for the same day.

Then `profile` writes a page about the day, `reports/profile/DAY.html` in the lake. Nothing waits for it, and
the run ends well without it: `settled` asks only that the day is published.

**A closed day** has the marker `_CLOSED` in its folder and publishes an empty partition.

**When it fails**: *Nothing arrived* means that the folder of the day is missing or empty; the task tries
again with growing pauses for some five hours. Put the file there, or release the day with
`penchant skip DAY --reason …`.
*Partition DAY, delivery …* comes from the gate: the message names the rules, the rows and the report.

**By hand**: trigger it with `day`, and leave the logical date empty: Airflow leaves out the tasks of a
run whose logical date is after the last midnight of a shop that lives in the past, such as the demo's.

**Again**: clear the run or backfill the day with `penchant airflow backfill create --dag-id ingest_events
--from-date DAY --to-date DAY --reprocess-behavior completed`; the same delivery gives the same bytes.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, task

from dags.assets import EVENTS, daily
from dags.defaults import ARRIVAL, DAY_PARAM, PARTITION_TASK, REPORT, START, Params, end_of_schedule, no_retry, settled
from infra.settings import load_settings

settings = load_settings()

with DAG(
    "ingest_events",
    schedule=daily(settings.timezone),
    start_date=START,
    end_date=end_of_schedule(settings),
    catchup=False,
    max_active_runs=1,
    default_args=PARTITION_TASK,
    doc_md=__doc__,
    params=DAY_PARAM,
    tags=["penchant", "ingest"],
) as dag:

    @task(**ARRIVAL)
    def ingest(partition_key: str | None = None, params: Params = None) -> list[str]:
        """Parse what arrived for the day into staged deliveries; returns their ids."""
        from dags.steps import ingest_day, span_of_run

        with no_retry():
            return ingest_day(load_settings(), span_of_run(partition_key, params))

    @task
    def gate(deliveries: list[str], partition_key: str | None = None, params: Params = None) -> list[str]:
        """Hold the staged deliveries against the expectations; a critical failure stops the day."""
        from dags.steps import check, span_of_run

        with no_retry():
            return check(load_settings(), deliveries, span_of_run(partition_key, params))

    @task(outlets=[EVENTS])
    def publish(
        deliveries: list[str], partition_key: str | None = None, params: Params = None, *, outlet_events: Any = None
    ) -> dict[str, Any]:
        """Move the deliveries into the event log and close the day."""
        from dags.steps import publish, span_of_run

        with no_retry():
            span = span_of_run(partition_key, params)
            outlet_events[EVENTS].add_partitions(str(span.start))
            return publish(load_settings(), deliveries, span)

    @task(**REPORT)
    def profile(partition_key: str | None = None, params: Params = None) -> str:
        """Write a page about the day, to look at; returns its path in the lake."""
        from dags.steps import profile, span_of_run

        with no_retry():
            return profile(load_settings(), span_of_run(partition_key, params))

    published, report = publish(gate(ingest())), profile()
    published >> report
    settled(published, report)
