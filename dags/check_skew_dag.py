"""### Answers beside the lake

Runs for every partition of `features`: takes the answers that the API kept of the day (a share of all, the settings
`skew_…`), computes what it should have known about their users, point in time, and compares value by value. The
report is `reports/skew/DAY.md` in the lake; while the last one says that answers are skewed, `promote_model`
promotes nothing.

**When it fails**: *Answers are not made from what the lake says* names the features that differ and the report, with
an example of each. Put the rows online again (clear `materialise` of `build_features`); if they differ again, code
or settings of the API are not those of the build. Then `penchant skew --day DAY` tells.

**By hand**: trigger it with the parameter `day`, or `penchant skew`.
"""

from __future__ import annotations

from airflow.sdk import DAG, task

from dags.assets import FEATURES, every_partition_of
from dags.defaults import DAY_PARAM, PARTITION_TASK, Params, no_retry
from infra.settings import load_settings

with DAG(
    "check_skew",
    schedule=every_partition_of(FEATURES),
    catchup=False,
    max_active_runs=1,
    default_args={**PARTITION_TASK, "priority_weight": 0, "weight_rule": "absolute"},
    doc_md=__doc__,
    params=DAY_PARAM,
    tags=["penchant", "features"],
) as dag:

    @task
    def check(partition_key: str | None = None, params: Params = None) -> str:
        """Compare the answers kept of the day with the lake; returns where the report is."""
        from dags.steps import check_skew, require_consistent, span_of_run

        with no_retry():
            report = check_skew(load_settings(), span_of_run(partition_key, params).start)
            return require_consistent(load_settings(), report)

    check()
