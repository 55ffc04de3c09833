"""### Judge a new version, and promote it if it wins

Runs for every new version, or by hand for the newest challenger. The challenger, the champion and
the baselines answer the same moments of the fresh days, each ranking the whole catalogue; the
gate holds the differences against their intervals. Verdict and move go to the ledger, which is what
the servers follow, and to the version's tags in MLflow.

**A loss is a green run**: the version stays `challenger`, and the reason is the return value of the
task `decide`, the note in the ledger, and the tag `verdict_reason` of the version.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, Param, task

from dags.assets import CHAMPION, MODEL_VERSION, every_partition_of
from dags.defaults import TRAINING_TASK, Params
from infra.settings import load_settings

with DAG(
    "promote_model",
    schedule=every_partition_of(MODEL_VERSION),
    catchup=False,
    max_active_runs=1,
    default_args=TRAINING_TASK,
    doc_md=__doc__,
    params={"version": Param(None, type=["null", "integer", "string"], description="Version of a run by hand.")},
    tags=["penchant", "promotion"],
) as dag:

    @task
    def challenge(partition_key: str | None = None, params: Params = None) -> dict[str, Any]:
        """Score the fresh days with the challenger, the champion and the baselines."""
        from dags.steps import challenge

        return challenge(load_settings(), partition_key or (params or {}).get("version"))

    @task
    def judge(challenged: dict[str, Any]) -> dict[str, Any]:
        """Hold the figures against the gate's rules; returns the verdict."""
        from dags.steps import judge

        return judge(load_settings(), challenged)

    @task(outlets=[CHAMPION])
    def decide(verdict: dict[str, Any], *, outlet_events: Any = None, run_id: str | None = None) -> str:
        """Write the verdict to the ledger and move the alias if it was won; returns the reason."""
        from dags.steps import decide

        decided = decide(load_settings(), verdict, actor=f"promote_model {run_id}")
        outlet_events[CHAMPION].add_partitions(str(decided["version"]))
        outlet_events[CHAMPION].extra = {"outcome": verdict["outcome"], "reason": verdict["reason"]}
        return str(verdict["reason"])

    decide(judge(challenge()))
