"""What is online about users and items, as bytes: one round trip, no Feast."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from operator import itemgetter
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

    Most hashes have the same fields in the same order: where each value lies is looked for once.
    """
    names: list[bytes] = []
    picked: Callable[[list[bytes]], Sequence[bytes | None]] = tuple
    rows = []
    for found in answers:
        if found[::2] != names or not names:
            names = found[::2]
            picked = _picker(names, fields)
        rows.append(picked(found))
    return dict(zip(fields, zip(*rows, strict=True), strict=True)) if rows else dict.fromkeys(fields, ())


def _picker(names: list[bytes], fields: list[bytes]) -> Callable[[list[bytes]], Sequence[bytes | None]]:
    """Takes the values of ``fields`` out of a hash with these names."""
    places = {name: 2 * place + 1 for place, name in enumerate(names)}
    if len(fields) > 1 and all(field in places for field in fields):
        return itemgetter(*(places[field] for field in fields))
    return lambda found: [found[places[field]] if field in places else None for field in fields]
