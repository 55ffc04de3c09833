"""Opens the real parts: feature store, ledger and registry, PostgreSQL, Valkey."""

from __future__ import annotations

from datetime import datetime
from functools import partial

import pyarrow as pa

from features.bundle import Bundle
from features.live.intake import patient_for
from features.store.lookup import Lookup
from infra.database import engine
from infra.registry import Registry
from infra.settings import Settings
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
