"""Who leaves the online store: entities of which no row holds any longer, by the shop's clock.

A hash holds all views of an entity, and Valkey's own expiry goes by the wall clock, while a shop may be replayed
years later. So each materialisation looks at the days whose rows have just come to the end of their life, and
removes those entities that have nothing newer. The work is that of the rows of these days, not of the store.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Final

from duckdb import DuckDBPyConnection as Connection
from redis import Redis

from features.store.changed import BATCH_ROWS, entities_in, files_between, reader
from features.store.keys import entity_key, key_prefix, moment_field
from features.store.wire import microseconds
from features.view import View
from features.views import views_of
from infra.settings import Settings

#: Hash in Valkey: for each view up to which moment of its rows it was looked who leaves.
LOOKED: Final = "penchant:expired_through"


def holds_since(views: Sequence[View], through: datetime) -> dict[str, datetime] | None:
    """By view the moment of the oldest row that still counts at ``through``; None: one of them stays for ever."""
    since = {view.name: through - timedelta(days=view.ttl_days) for view in views if view.ttl_days}
    return since if len(since) == len(views) else None


def by_entity(settings: Settings) -> Iterator[tuple[str, list[View]]]:
    """The views of each entity: they share a hash."""
    views = sorted(views_of(settings), key=lambda view: view.entity)
    for entity, group in groupby(views, key=lambda view: view.entity):
        yield entity, list(group)


def expire(settings: Settings, client: Redis, through: datetime) -> int:
    """Remove the entities that nothing holds for at ``through``, and count them.

    Raises:
        redis.RedisError: Valkey did not; the next run looks at them again.
    """
    removed = 0
    with reader(settings) as connection:
        for _entity, views in by_entity(settings):
            since = holds_since(views, through)
            if since:
                removed += _expire(settings, client, connection, views, since)
    return removed


def _expire(
    settings: Settings,
    client: Redis,
    connection: Connection,
    views: Sequence[View],
    since: dict[str, datetime],
) -> int:
    known = _looked(client)
    due = [(view, files_between(settings, view, known.get(view.name), since[view.name])) for view in views]
    asked = connection.sql(entities_in(due)).to_arrow_reader(BATCH_ROWS)
    removed = sum(_remove(client, views, since, batch.column(0).to_pylist()) for batch in asked)
    client.hset(LOOKED, mapping={name: moment.isoformat() for name, moment in since.items()})
    return removed


def _looked(client: Redis) -> dict[str, datetime]:
    found: dict[bytes, bytes] = client.hgetall(LOOKED)  # type: ignore[assignment]
    return {name.decode(): datetime.fromisoformat(moment.decode()).astimezone(UTC) for name, moment in found.items()}


def _remove(client: Redis, views: Sequence[View], since: dict[str, datetime], ids: Iterable[str]) -> int:
    """Remove those of ``ids`` that are online with nothing that still counts."""
    prefix = key_prefix(views[0].entity)
    keys = [entity_key(prefix, id_) for id_ in ids]
    fields, bounds = [moment_field(view.name) for view in views], [since[view.name] for view in views]
    with client.pipeline(transaction=False) as pipeline:
        for key in keys:
            pipeline.execute_command("HMGET", key, *fields)  # type: ignore[no-untyped-call]
        found = pipeline.execute()
    gone = [key for key, moments in zip(keys, found, strict=True) if _is_over(moments, bounds)]
    return int(client.execute_command("UNLINK", *gone)) if gone else 0  # type: ignore[no-untyped-call]


def _is_over(moments: Sequence[bytes | None], bounds: Sequence[datetime]) -> bool:
    known = [(moment, bound) for moment, bound in zip(moments, bounds, strict=True) if moment is not None]
    return bool(known) and all(microseconds(moment) < bound.timestamp() * 1_000_000 for moment, bound in known)
