"""What is online about users and items, as bytes: one round trip, no Feast."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from features.store.exchange import count, exchange, word
from features.store.keys import entity_key, key_prefix, view_fields
from features.store.materialise import WATERMARK, materialised_through, moment_of
from features.store.rows import Columns
from features.store.trouble import SLOW_ANSWER, valkey_trouble
from features.views import views_of
from infra.settings import Settings
from infra.valkey import valkey_url

_WATERMARK: Final = count(2) + word(b"GET") + word(WATERMARK.encode())
_HGETALL: Final = count(2) + word(b"HGETALL")


class Fetch:
    """A client of the online store that waits ``api_timeout_ms`` for an answer, and no longer."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._fields: dict[str, list[bytes]] = {}
        for view in views_of(settings):
            self._fields.setdefault(view.entity, []).extend(view_fields(view.name, view.columns))
        seconds = settings.api_timeout_ms / 1000
        self._client = Redis.from_url(
            valkey_url(settings),
            protocol=2,
            socket_timeout=seconds,
            socket_connect_timeout=seconds,
            retry=Retry(NoBackoff(), 1),
        )

    def columns(self, keys: Mapping[str, Sequence[str]]) -> tuple[datetime | None, dict[str, Columns]]:
        """The watermark (None: nothing was materialised), and by entity what is online about the ids.

        Hashes are read whole: field by field Valkey would search each one from its beginning.

        Raises:
            ServiceError: Valkey does not answer in time.
        """
        commands = [_WATERMARK]
        for entity, ids in keys.items():
            prefix = key_prefix(entity)
            commands += [_HGETALL + word(entity_key(prefix, id_)) for id_ in ids]
        with valkey_trouble(self._settings, SLOW_ANSWER):
            watermark, *answers = exchange(self._client, commands)
        found = iter(answers)
        columns = {entity: _columns([next(found) for _ in ids], self._fields[entity]) for entity, ids in keys.items()}
        return moment_of(watermark), columns

    def materialised_through(self) -> datetime | None:
        """The watermark alone."""
        with valkey_trouble(self._settings, SLOW_ANSWER):
            return materialised_through(self._client)


def _columns(answers: Sequence[list[bytes]], fields: list[bytes]) -> Columns:
    """Hashes, each its fields and values one after the other as Valkey sends them, as columns of values.

    A hash of a single view mostly has the fields in the order in which they were written: then none is looked for.
    """
    rows = [found[1::2] if found[::2] == fields else _picked(found, fields) for found in answers]
    return dict(zip(fields, zip(*rows, strict=True), strict=True)) if rows else dict.fromkeys(fields, ())


def _picked(found: list[bytes], fields: list[bytes]) -> list[bytes | None]:
    values = dict(zip(found[::2], found[1::2], strict=True))
    return [values.get(field) for field in fields]
