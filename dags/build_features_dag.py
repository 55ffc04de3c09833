"""### Features of one shop day

Runs for every partition of `events`: builds tiles, windows, decayed interest, sequences and item
statistics of the day and puts the rows that changed into the online store. Its partition of the asset
`features` counts towards the week after which `train_interest` runs.

States chain on the day before, so the run also builds closed days before its own that nobody has
built yet; which of two waiting days runs first does not matter. Days whose events changed since they
were built (late rows, a replay) are built again, with every day after them; those that came out
different are announced together, a partition of the asset `features_reissued` each.

**When it fails**: *not closed* names the days that are missing: ingest them, or release them with
`penchant skip DAY --reason …`, and clear the task.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, task
from airflow.sdk.exceptions import AirflowSkipException

from dags.assets import EVENTS, FEATURES, FEATURES_REISSUED, every_partition_of
from dags.defaults import DAY_PARAM, PARTITION_TASK, Params, no_retry
from infra.settings import load_settings

with DAG(
    "build_features",
    schedule=every_partition_of(EVENTS),
    catchup=False,
    max_active_runs=1,
    default_args=PARTITION_TASK,
    doc_md=__doc__,
    params=DAY_PARAM,
    tags=["penchant", "features"],
) as dag:

    @task
    def build(partition_key: str | None = None, params: Params = None) -> dict[str, Any]:
        """Build the feature views of the day, and of closed days before it that are not built."""
        from dags.steps import build, span_of_run

        with no_retry():
            return build(load_settings(), span_of_run(partition_key, params))

    @task(outlets=[FEATURES])
    def materialise(
        built: dict[str, Any], partition_key: str | None = None, params: Params = None, *, outlet_events: Any = None
    ) -> dict[str, Any]:
        """Put the rows that changed into the online store."""
        from dags.steps import materialise, span_of_params, span_of_run

        with no_retry():
            outlet_events[FEATURES].add_partitions(str(span_of_run(partition_key, params).start))
            return materialise(load_settings(), span_of_params(built))

    @task(outlets=[FEATURES_REISSUED])
    def reissue(built: dict[str, Any], *, outlet_events: Any = None) -> list[str]:
        """Announce the days that were issued before and are not what they were; skipped when there are none."""
        if not built["reissued"]:
            raise AirflowSkipException("No day that was issued before has changed.")
        outlet_events[FEATURES_REISSUED].add_partitions(built["reissued"])
        return list(built["reissued"])

    built = build()
    materialise(built) >> reissue(built)
