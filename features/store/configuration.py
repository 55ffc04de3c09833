"""Feast's configuration, from the settings: for a store in code, and for Feast's own command line."""

from __future__ import annotations

import json
import warnings
from importlib import import_module
from typing import Any

from redis.connection import parse_url

from features.store.keys import PROJECT
from infra.database import database_url
from infra.errors import SettingsError
from infra.settings import Settings
from infra.valkey import valkey_url

#: How Feast finds the class of the online store: Feast's own on Redis, with a faster way in.
ONLINE_STORE = "features.store.online.ValkeyOnlineStore"
#: And of the offline store, on each engine: Feast's own, which read the lake and do not write to it.
OFFLINE_STORE = "features.store.offline.LakeOfflineStore"
SPARK_OFFLINE_STORE = "features.store.offline_spark.SparkLakeOfflineStore"

#: Rows converted and written at once. Never none: without it Feast takes the first Arrow chunk only.
WRITE_ROWS = 2_000
TIMEOUT_SECONDS = 30.0


def configuration(settings: Settings, online_timeout_seconds: float) -> dict[str, Any]:
    """What ``feast.RepoConfig`` takes: ``repo/feature_store.yaml`` says the same."""
    return {
        "project": PROJECT,
        "provider": "local",
        "registry": _registry(settings),
        "offline_store": _offline_store(settings),
        "online_store": {
            "type": ONLINE_STORE,
            "connection_string": _address(settings, online_timeout_seconds),
            "skip_dedup": True,
            "inbox_address": _database(settings, "penchant"),
        },
        "materialization": {"pull_latest_features": True, "online_write_batch_size": WRITE_ROWS},
        "entity_key_serialization_version": 3,
    }


def feast_environment(settings: Settings) -> dict[str, str]:
    """What ``feature_store.yaml`` asks for: addresses with their passwords, which stand in no file of the project."""
    given = {
        "FEAST_REGISTRY_ADDRESS": _database(settings, "feast"),
        "FEAST_ONLINE_ADDRESS": _address(settings, TIMEOUT_SECONDS),
        "FEAST_INBOX_ADDRESS": _database(settings, "penchant"),
    }
    quoted = {name: value.replace("'", "''") for name, value in given.items()}
    return {**quoted, "FEAST_OFFLINE_STORE": json.dumps(_offline_store(settings))}


def _offline_store(settings: Settings) -> dict[str, Any]:
    """The store on the engine that the settings name.

    Raises:
        MachineError, SettingsError: Spark is wanted, and is not installed or cannot be started so.
    """
    if settings.engine == "duckdb":
        return {"type": OFFLINE_STORE}
    from features.engine import require_spark

    require_spark(settings)
    from features.engines.spark_session import options

    import_module("features.store.offline_spark")  # first: it brings Feast's, which sets filters of its own
    warnings.filterwarnings("ignore", "The spark (data source API|offline store) is an experimental", RuntimeWarning)
    return {"type": SPARK_OFFLINE_STORE, "spark_conf": options(settings, settings.lake.spill)}


def _registry(settings: Settings) -> dict[str, Any]:
    return {
        "registry_type": "sql",
        "path": _database(settings, "feast"),
        "cache_ttl_seconds": 0,
        "serve_features_while_materializing": True,
        "sqlalchemy_config_kwargs": {"echo": False, "pool_pre_ping": True, "connect_args": {"connect_timeout": 10}},
    }


def _database(settings: Settings, name: str) -> str:
    return database_url(settings, name).render_as_string(hide_password=False)


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
