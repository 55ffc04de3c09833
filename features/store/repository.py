"""The Feast store of some settings: registry in PostgreSQL, files offline, Valkey online."""

from __future__ import annotations

import json
import os
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from redis.connection import parse_url

from features.store.keys import PROJECT
from infra.database import database_url
from infra.errors import SettingsError
from infra.metrics_folder import left_by_feast
from infra.settings import Settings
from infra.valkey import valkey_url

if TYPE_CHECKING:
    from feast import FeatureStore

#: The folder in which Feast's own command line works: ``feature_store.yaml`` says what ``open_store`` says.
FEATURE_REPOSITORY = Path(__file__).parent / "repo"
#: How Feast finds the class of the online store: Feast's own on Redis, with a faster way in.
ONLINE_STORE = "features.store.online.ValkeyOnlineStore"

#: Rows converted and written at once. Never none: without it Feast takes the first Arrow chunk only.
WRITE_ROWS = 2_000
TIMEOUT_SECONDS = 30.0


def open_store(settings: Settings, online_timeout_seconds: float = TIMEOUT_SECONDS) -> FeatureStore:
    """The store, configured in code: passwords stay in memory, and nothing asks the network for more.

    The registry is read once and kept until ``refresh_registry``; views go on serving while they are
    written. Writes replace whatever is online, so that a day that is built again replaces its rows,
    which have the same timestamp; ``materialise`` sees to it that nothing older is written.
    """
    _keep_metrics_in_memory()
    from feast import FeatureStore, RepoConfig

    config = RepoConfig(
        project=PROJECT,
        provider="local",
        registry=_registry(settings),
        offline_store={"type": "duckdb"},
        online_store={
            "type": ONLINE_STORE,
            "connection_string": _address(settings, online_timeout_seconds),
            "skip_dedup": True,
        },
        materialization={"pull_latest_features": True, "online_write_batch_size": WRITE_ROWS},
        entity_key_serialization_version=3,
        repo_path=settings.home,
    )
    return FeatureStore(config=config)


def apply(settings: Settings) -> None:
    """Bring the registry to ``definitions``: nothing happens when it is there.

    It keeps what was materialised, and the services of earlier versions.
    """
    store = open_store(settings)
    from features.store.definitions import definitions

    known = {view.name: view for view in store.list_feature_views()}
    objects = definitions(settings)
    for wanted in objects:
        if wanted.name in known and hasattr(wanted, "materialization_intervals"):
            wanted.materialization_intervals = list(known[wanted.name].materialization_intervals)
            wanted.state = known[wanted.name].state
    store.apply(objects)


def feast_environment(settings: Settings) -> dict[str, str]:
    """What ``feature_store.yaml`` asks for: addresses with their passwords, which stand in no file of the project."""
    given = {
        "FEAST_REGISTRY_ADDRESS": database_url(settings, "feast").render_as_string(hide_password=False),
        "FEAST_ONLINE_ADDRESS": _address(settings, TIMEOUT_SECONDS),
    }
    return {name: value.replace("'", "''") for name, value in given.items()}


def _keep_metrics_in_memory() -> None:
    """Import Feast's metrics without what they do to the process."""
    import_module("prometheus_client")  # first: so it has chosen memory already
    import_module("feast.metrics")
    for name in left_by_feast(os.environ):
        del os.environ[name]


def _registry(settings: Settings) -> dict[str, Any]:
    url = database_url(settings, "feast").render_as_string(hide_password=False)
    return {
        "registry_type": "sql",
        "path": url,
        "cache_ttl_seconds": 0,
        "serve_features_while_materializing": True,
        "sqlalchemy_config_kwargs": {"echo": False, "pool_pre_ping": True, "connect_args": {"connect_timeout": 10}},
    }


def _address(settings: Settings, timeout_seconds: float) -> str:
    """Feast's own form of an address: ``host:port,name=json,…``."""
    parts = parse_url(valkey_url(settings))  # type: ignore[no-untyped-call]
    given = {name: parts[name] for name in ("username", "password", "db") if parts.get(name) is not None}
    if "," in f"{given.get('username', '')}{given.get('password', '')}":
        raise SettingsError("The password in PENCHANT_VALKEY_URL has a comma.", "Feast cannot read one: change it.")
    given["socket_timeout"] = timeout_seconds
    given["ssl"] = valkey_url(settings).startswith("rediss://")
    options = ",".join(f"{name}={json.dumps(value)}" for name, value in given.items())
    return f"{parts.get('host', '127.0.0.1')}:{parts.get('port', 6379)},{options}"
