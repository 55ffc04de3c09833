"""Opens the real parts: feature store, ledger and registry, PostgreSQL, Valkey."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from features.bundle import Bundle
from infra.database import engine
from infra.errors import ServiceError
from infra.registry import Registry
from infra.settings import Settings
from infra.valkey import valkey_url
from serving.ports import ItemStats, Parts

if TYPE_CHECKING:
    from features.store.lookup import Lookup


class LateStore:
    """The feature store, opened when the follower first asks for something: Feast takes seconds to import.

    Until then a user's features are an error at once. They are too while Valkey does not answer a short
    question: Feast's own client would keep trying for seconds.
    """

    def __init__(self, settings: Settings, valkey: redis.Redis) -> None:
        self._settings = settings
        self._valkey = valkey
        self._opened: Lookup | None = None
        self._used = False

    def user(self, user_id: str, moment: datetime) -> Mapping[str, Any]:
        if self._opened is None or not self._used:
            raise ServiceError("The feature store is not open yet.", "See /readyz.")
        self._valkey.ping()
        return self._opened.user(user_id, moment)

    def item_stats(self, moment: datetime) -> ItemStats:
        return self._open().item_stats(moment)

    def materialised_through(self) -> datetime | None:
        """Asked by the follower alone; makes the store ready to be asked about users."""
        store = self._open()
        through = store.materialised_through()
        if through is not None and not self._used:
            store.user("nobody", through)
        self._used = True
        return through

    def _open(self) -> Lookup:
        if self._opened is None:
            from features.store.lookup import Lookup

            self._opened = Lookup(self._settings)
        return self._opened


def connect(settings: Settings) -> Parts:
    """The parts that ``settings`` name; asks none of them yet."""
    valkey = patient_for(settings, settings.api_timeout_ms)
    return Parts(
        store=LateStore(settings, valkey),
        registry=Registry(settings),
        database=engine(settings),
        valkey=valkey,
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
