"""### Keep the lake small

Every Monday at four of the shop: merges the files of days that have been closed for `merge_after_days`,
one file a day, and removes what had its time: raw files of published deliveries, refused rows, reports,
rows of the inbox that are in the lake, kept answers, and what killed processes left. Lifetimes are the settings
`keep_…`; each run does a bounded amount of work, and the next one goes on. Features stay what they are.

**Beside other runs**: a day is merged under the lock of publishing, and readers that have listed its
files before find them for another day.

**When it fails**: clear the task; what was done is done, and running it again does the rest.

**By hand**: trigger it, or `penchant keep`; `penchant keep --dry-run` says what would go.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, task

from dags.assets import weekly
from dags.defaults import PARTITION_TASK, START, end_of_schedule, no_retry
from infra.settings import load_settings

settings = load_settings()

with DAG(
    "keep_lake",
    schedule=weekly(settings.timezone),
    start_date=START,
    end_date=end_of_schedule(settings),
    catchup=False,
    max_active_runs=1,
    default_args=PARTITION_TASK,
    doc_md=__doc__,
    tags=["penchant", "lake"],
) as dag:

    @task
    def merge() -> dict[str, Any]:
        """Merge the many files of old closed days; returns days, files and bytes."""
        from dags.steps import merge_days

        with no_retry():
            return merge_days(load_settings())

    @task
    def retire() -> dict[str, Any]:
        """Remove the files of the lake that had their time; returns files and bytes of each kind."""
        from dags.steps import retire_files

        with no_retry():
            return retire_files(load_settings())

    @task
    def forget() -> dict[str, Any]:
        """Delete rows that had their time, of the inbox (those in the lake) and of kept answers; returns how many."""
        from dags.steps import retire_inbox, retire_served

        with no_retry():
            return {"inbox": retire_inbox(load_settings()), "served": retire_served(load_settings())}

    merge() >> retire() >> forget()
