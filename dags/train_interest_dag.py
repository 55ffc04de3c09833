"""### Learn how interests evolve

Runs after a bulk load, after each week whose seven days of features are there, or by hand. Takes a
point-in-time snapshot, fits the baselines and the model, lets the validation days choose, writes
everything to MLflow and registers the best baseline and the model as versions. The last
`fresh_days` days are never trained on: they judge the model afterwards. Its partition of the asset
`model_version` (the version's number) starts `promote_model`.

**When it fails**: clear the task; a snapshot of the same events has the same id and digest.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, task

from dags.assets import MODEL_VERSION, history_or_week
from dags.defaults import TRAINING_TASK
from infra.settings import load_settings

with DAG(
    "train_interest",
    schedule=history_or_week(load_settings().timezone),
    catchup=False,
    max_active_runs=1,
    default_args=TRAINING_TASK,
    doc_md=__doc__,
    tags=["penchant", "training"],
) as dag:

    @task(outlets=[MODEL_VERSION])
    def train(*, outlet_events: Any = None) -> dict[str, Any]:
        """Snapshot, fit, log and register; returns the run and the versions."""
        from dags.steps import train

        trained = train(load_settings())
        outlet_events[MODEL_VERSION].add_partitions(str(trained["version"]))
        return trained

    train()
