"""The Feast store of some settings: registry in PostgreSQL, files offline, Valkey online."""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from features.store.configuration import TIMEOUT_SECONDS, configuration
from infra.metrics_folder import left_by_feast
from infra.settings import Settings

if TYPE_CHECKING:
    from feast import FeatureStore

#: The folder in which Feast's own command line works: ``feature_store.yaml`` says what ``open_store`` says.
FEATURE_REPOSITORY = Path(__file__).parent / "repo"


def open_store(settings: Settings, online_timeout_seconds: float = TIMEOUT_SECONDS) -> FeatureStore:
    """The store, configured in code: passwords stay in memory, and nothing asks the network for more.

    The registry is read once and kept until ``refresh_registry``; views go on serving while they are
    written. Writes replace whatever is online, so that a day that is built again replaces its rows,
    which have the same timestamp; ``materialise`` sees to it that nothing older is written.
    """
    _keep_metrics_in_memory()
    from feast import RepoConfig

    from features.store.push import PushingStore

    config = RepoConfig(**configuration(settings, online_timeout_seconds), repo_path=settings.home)
    return PushingStore(settings, config)


def apply(settings: Settings) -> None:
    """Bring the registry to ``definitions``: nothing happens when it is there.

    It keeps what was materialised, as far as the shop's clock has come, and the services of earlier versions.
    """
    store = open_store(settings)
    from features.store.definitions import definitions

    known = {view.name: view for view in store.list_feature_views()}
    objects, now = definitions(settings), settings.shop_clock().now()
    for wanted in objects:
        if wanted.name in known and hasattr(wanted, "materialization_intervals"):
            wanted.materialization_intervals = _until(known[wanted.name].materialization_intervals, now)
            wanted.state = known[wanted.name].state
    store.apply(objects)


def _until(intervals: Iterable[tuple[datetime, datetime]], now: datetime) -> list[tuple[datetime, datetime]]:
    """Without the future: Feast's next increment begins where the last interval ends, and would never begin."""
    return [(start, min(end, now)) for start, end in intervals if start < now]


def _keep_metrics_in_memory() -> None:
    """Import Feast's metrics without what they do to the process."""
    import_module("prometheus_client")  # first: so it has chosen memory already
    import_module("feast.metrics")
    for name in left_by_feast(os.environ):
        del os.environ[name]
