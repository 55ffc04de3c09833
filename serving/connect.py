"""Opens the real parts: feature store, ledger and registry, PostgreSQL, Valkey."""

from __future__ import annotations

from datetime import datetime
from functools import partial

import pyarrow as pa
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from features.bundle import Bundle
from features.store.lookup import Lookup
from infra.database import engine
from infra.registry import Registry
from infra.settings import Settings
from infra.valkey import valkey_url
from serving.ports import Parts


def connect(settings: Settings) -> Parts:
    """The parts that ``settings`` name; asks none of them yet."""
    return Parts(
        store=Lookup(settings),
        registry=Registry(settings),
        database=engine(settings),
        valkey=patient_for(settings, settings.api_timeout_ms),
        load=Bundle.load,
        items=partial(_catalogue, settings),
    )


def _catalogue(settings: Settings, known_at: datetime) -> pa.Table:
    from features.catalogue import catalogue  # brings in DuckDB, when the follower first asks

    return catalogue(settings, known_at)


def patient_for(settings: Settings, milliseconds: int) -> redis.Redis:
    """A client of Valkey that waits so long for a connection and for an answer, and tries twice."""
    seconds = milliseconds / 1000
    return redis.Redis.from_url(
        valkey_url(settings),
        socket_timeout=seconds,
        socket_connect_timeout=seconds,
        retry=Retry(NoBackoff(), 1),
    )
