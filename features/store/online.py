"""Feast's online store on Redis, which also takes rows straight from Arrow; keys and bytes are Feast's.

``RedisOnlineStore`` makes a message of every value. Here a column is made into bytes at once, each different value
once, with its length before it as Valkey's protocol wants it: the client library would take longer for that than for
all the rest. While Valkey takes one batch the next is made. Reading, deleting and writing what Feast brings are
inherited.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final, Literal

import pyarrow as pa
from feast import FeatureView, RepoConfig
from feast.infra.online_stores.redis import RedisOnlineStore, RedisOnlineStoreConfig

from features.store.encode import encoded, timestamps
from features.store.exchange import count, exchange, word
from features.store.keys import entity_key, key_prefix, view_fields
from features.store.online_events import LastEvents

#: How Feast's configuration names the store; the class of its configuration must lie beside it.
TYPE: Final = "features.store.online.ValkeyOnlineStore"


class ValkeyOnlineStoreConfig(RedisOnlineStoreConfig):  # type: ignore[misc]
    """Everything that Feast's own store on Redis can be told."""

    type: Literal["features.store.online.ValkeyOnlineStore"] = TYPE
    #: Of the database with the inbox, which the last events are read from.
    inbox_address: str


class ValkeyOnlineStore(LastEvents, RedisOnlineStore):  # type: ignore[misc]
    """The online store of ``features.store.repository.open_store``."""

    def write_arrow(self, config: RepoConfig, view: FeatureView, batches: Iterable[pa.RecordBatch]) -> int:
        """Write rows, whatever is online for their entities: nothing older may be among them.

        Args:
            config: of the store.
            view: with one entity, whose id is a text.
            batches: columns of the view, its entity and its timestamp; one row an entity. So many rows as a
                batch has are sent at once, and two batches are in memory.

        Returns:
            the number of rows.

        Raises:
            FeatureError: a column of another type than those of ``features.store.encode``.
            redis.RedisError: Valkey did not take them; some may have been written.
        """
        client = self._get_client(config.online_store)
        rows, sent = 0, Future[list[Any]]()
        sent.set_result([])
        with ThreadPoolExecutor(1) as sender:
            for batch in batches:
                commands = _commands(view, batch)
                sent.result()
                sent = sender.submit(exchange, client, commands)
                rows += batch.num_rows
            sent.result()
        return rows


def _commands(view: FeatureView, batch: pa.RecordBatch) -> list[bytes]:
    """For each row ``HSET key field value …``, as it goes to Valkey."""
    entity = view.join_keys[0]
    prefix, names = key_prefix(entity), [feature.name for feature in view.features]
    *fields, moment = view_fields(view.name, names)
    begin = count(2 + 2 * (len(names) + 1)) + word(b"HSET")
    columns: list[Iterable[bytes]] = [[begin + word(entity_key(prefix, id_)) for id_ in batch[entity].to_pylist()]]
    columns += [encoded(batch[name], name, _after(field)) for name, field in zip(names, fields, strict=True)]
    columns.append(timestamps(batch[view.batch_source.timestamp_field], _after(moment)))
    return [b"".join(row) for row in zip(*columns, strict=True)]


def _after(field: bytes) -> Callable[[bytes], bytes]:
    """Put a field's name before its value."""
    name = word(field)
    return lambda value: name + word(value)
