"""What the tasks do, as plain functions: rooms composed, references in and out, nothing of Airflow.

The command line calls the same functions. Each room is imported in the function that needs it, so
that a task which only counts does not pay for TensorFlow.
"""

from __future__ import annotations

from dags.steps.consistency import check_skew, require_consistent
from dags.steps.events import check, ingest_day, ingest_history, profile, publish
from dags.steps.features import build, materialise, require_stores
from dags.steps.lake import merge_days, retire_files, retire_inbox, retire_served
from dags.steps.models import challenge, decide, judge, train
from dags.steps.spans import span_of_params, span_of_run

__all__ = [
    "build",
    "challenge",
    "check",
    "check_skew",
    "decide",
    "ingest_day",
    "ingest_history",
    "judge",
    "materialise",
    "merge_days",
    "profile",
    "publish",
    "require_consistent",
    "require_stores",
    "retire_files",
    "retire_inbox",
    "retire_served",
    "span_of_params",
    "span_of_run",
    "train",
]
