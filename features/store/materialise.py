"""Rows that changed go online, and then the watermark says through which moment everything is there."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
from duckdb import DuckDBPyConnection as Connection
from redis import Redis

from features.days import built_days, require_built
from features.store.changed import entities_in, files_between, last_rows, reader
from features.store.expiry import by_entity, expire, holds_since
from features.store.keys import PROJECT
from features.store.repository import apply, open_store
from features.store.trouble import SLOW_WRITE, valkey_trouble
from features.view import View
from infra.database import opened
from infra.errors import FeatureError
from infra.locks import one_at_a_time
from infra.partitions import Span, day_end
from infra.settings import Settings
from infra.valkey import valkey

if TYPE_CHECKING:
    from feast import FeatureStore

#: Key in Valkey: the T, ISO 8601, of the last day whose rows are online.
WATERMARK: Final = "penchant:materialised_through"
_ALIVE: Final = "alive"


def materialise(settings: Settings, span: Span) -> dict[str, Any]:
    """Write the last row of every user and item that changed in ``span`` or since to the online store.

    The registry is brought to the definitions first, so a new or changed view needs nothing else.
    Later days that are built already come along: the online store keeps one row an entity, so it must
    never see an older one last. A span that was built again is materialised again. Entities of which
    nothing holds any longer at the watermark are not written, and leave the store.

    Returns:
        ``through`` (the watermark), ``rows`` by view, ``removed`` (entities), ``seconds``.

    Raises:
        FeatureError: a day of the span, or a later one that is built, is not built to its end, or is built by other
            definitions.
        ServiceError: Valkey or PostgreSQL does not do its part; the watermark is where it was.
    """
    started = time.perf_counter()
    # nor may a build replace files while they are read, or take back rows that went online
    alone = one_at_a_time(settings, "materialise"), one_at_a_time(settings, "build")
    with alone[0], alone[1], opened(settings), valkey_trouble(settings, SLOW_WRITE):
        end = day_end(_last_day(settings, span), settings.zone)
        apply(settings)
        with valkey(settings) as client:
            before = materialised_through(client)
            through = max(before or end, end)
            # before anything is written, since a full store needs the room: what a shortened life lets go
            removed = expire(settings, client, before) if before else 0
            rows = _write(settings, day_end(span.start, settings.zone), end, through)
            removed += expire(settings, client, through)
            client.set(WATERMARK, through.isoformat())
    seconds = round(time.perf_counter() - started, 3)
    return {"through": through.isoformat(), "rows": rows, "removed": removed, "seconds": seconds}


def materialised_through(client: Redis) -> datetime | None:
    """The watermark: T of the last day whose rows are online; None before the first."""
    return moment_of(client.get(WATERMARK))


def moment_of(watermark: object) -> datetime | None:
    """What Valkey holds as the watermark, as a moment in UTC."""
    return datetime.fromisoformat(watermark.decode()).astimezone(UTC) if isinstance(watermark, bytes) else None


def _last_day(settings: Settings, span: Span) -> date:
    """The last day that is built; it and all from the span's first one on are there, whole."""
    if not len(span):
        raise FeatureError("There are no features of no day.", "Name a day that is built.")
    last = max(built_days(settings), default=span.start)
    require_built(settings, Span(span.start, max(span.end, last + timedelta(days=1))))
    return last


def _write(settings: Settings, start: datetime, end: datetime, through: datetime) -> dict[str, int]:
    """Write what changed from ``start`` on, view by view, and note in the registry what Feast would note."""
    store = open_store(settings)
    rows: dict[str, int] = {}
    with reader(settings) as connection:
        for _entity, views in by_entity(settings):
            among = _alive(settings, connection, views, start, through)
            # long lists first: they make Valkey keep the hash as a table, in which many fields are found sooner
            for view in sorted(views, key=lambda view: len(view.columns)):
                files = files_between(settings, view, start)
                rows[view.name] = _write_view(store, view, last_rows(connection, view, files, among))
                store.registry.apply_materialization(store.get_feature_view(view.name), PROJECT, start, end)
    return rows


def _write_view(store: FeatureStore, view: View, batches: Iterable[pa.RecordBatch]) -> int:
    from features.store.online import ValkeyOnlineStore  # imports Feast, which open_store has seen to

    return ValkeyOnlineStore().write_arrow(store.config, store.get_feature_view(view.name), batches)


def _alive(
    settings: Settings, connection: Connection, views: Sequence[View], start: datetime, through: datetime
) -> str:
    """A table of the entities that something holds for; empty: all that changed since ``start`` are among them."""
    since = holds_since(views, through)
    if since is None or start >= max(since.values()):
        return ""
    asked = entities_in((view, files_between(settings, view, since[view.name])) for view in views)
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {_ALIVE} AS {asked}")
    return _ALIVE
