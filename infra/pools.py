"""Airflow's pools: how many tasks of a kind run at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from infra.settings import Settings

#: Tasks that take one shop day forward; different days do not disturb each other.
PARTITIONS = "partitions"
#: Training and judging take the whole machine: one at a time.
TRAINING = "training"


def ensure_pools(settings: Settings) -> None:
    """Create the pools that are missing; one that is there stays as somebody set it.

    Raises:
        ServiceError: Airflow's API server does not answer.
    """
    from infra.airflow_api import AirflowApi
    from infra.orchestrator import USER, airflow_password, airflow_url

    airflow = AirflowApi(airflow_url(settings), USER, airflow_password(settings))
    airflow.ensure_pool(PARTITIONS, settings.threads, "Tasks that take one shop day forward")
    airflow.ensure_pool(TRAINING, 1, "Training and judging, one at a time")
