"""### Bulk history in one run

Takes every file under `landing/<source>/history/`, brings the span of days `[start, end)` through
the gate, publishes it, builds all features of the span and loads the latest ones into the online
store. A year of partition events would start a year of runs, so the whole span is one run, which
publishes one partition of the asset `history`. Beside that `profile` writes a page about the span,
`reports/profile/START..END.html` in the lake; nothing waits for it, and the run ends well without it.

**When it fails**: the message of the failed task names the file, row and rule. Nothing downstream has
seen the delivery. Mend the file and clear the task; running it again gives the same bytes.

**By hand**: trigger it with `start` and `end` (the day after the last).
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, Param, PartitionedAtRuntime, task

from dags.assets import HISTORY
from dags.defaults import PARTITION_TASK, REPORT, no_retry, settled
from infra.settings import load_settings

with DAG(
    "load_history",
    schedule=PartitionedAtRuntime(),
    default_args=PARTITION_TASK,
    max_active_runs=1,
    doc_md=__doc__,
    tags=["penchant", "ingest"],
    params={
        "start": Param(type="string", format="date", description="First day of the span."),
        "end": Param(type="string", format="date", description="The day after the last one."),
    },
) as dag:

    @task
    def ingest(params: dict[str, Any] | None = None) -> list[str]:
        """Parse the files into staged deliveries; returns their ids."""
        from dags.steps import ingest_history, span_of_params

        with no_retry():
            return ingest_history(load_settings(), span_of_params(params))

    @task
    def gate(deliveries: list[str], params: dict[str, Any] | None = None) -> list[str]:
        """Hold every staged delivery against the expectations; a critical failure stops the run."""
        from dags.steps import check, span_of_params

        with no_retry():
            return check(load_settings(), deliveries, span_of_params(params))

    @task
    def publish(deliveries: list[str], params: dict[str, Any] | None = None) -> dict[str, Any]:
        """Move the deliveries into the event log and close the days of the span."""
        from dags.steps import publish, span_of_params

        with no_retry():
            return publish(load_settings(), deliveries, span_of_params(params))

    @task(**REPORT)
    def profile(params: dict[str, Any] | None = None) -> str:
        """Write a page about the span, to look at; returns its path in the lake."""
        from dags.steps import profile, span_of_params

        with no_retry():
            return profile(load_settings(), span_of_params(params))

    @task
    def build(params: dict[str, Any] | None = None) -> dict[str, Any]:
        """Build tiles, windows, interest, sequences and item statistics of the span."""
        from dags.steps import build, span_of_params

        with no_retry():
            return build(load_settings(), span_of_params(params))

    @task(outlets=[HISTORY])
    def materialise(
        built: dict[str, Any], params: dict[str, Any] | None = None, *, outlet_events: Any = None
    ) -> dict[str, Any]:
        """Load the latest row of every user and item into the online store."""
        from dags.steps import materialise, span_of_params

        with no_retry():
            outlet_events[HISTORY].add_partitions(str(span_of_params(params)))
            return materialise(load_settings(), span_of_params(built))

    published, report, built = publish(gate(ingest())), profile(), build()
    published >> [report, built]
    materialise(built)
    settled(published, report)
