"""Where Feast keeps what in Valkey: a hash an entity, and in it a field a feature and a moment a view.

The layout is Feast's own (its specification of the online store format, entity keys of version 3). It is written
down here once more because Feast makes these bytes one message at a time, and takes seconds to import.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Final

import mmh3

#: Whose hashes they are: Feast's project.
PROJECT: Final = "penchant"

_STRING: Final = 2
_MOMENT: Final = b"_ts:"


def key_prefix(entity: str) -> bytes:
    """How the keys of all entities of a kind begin: one join key, a text, by the name of ``entity``."""
    name = entity.encode()
    return struct.pack("<III", 1, _STRING, len(name)) + name + struct.pack("<I", _STRING)


def entity_key(prefix: bytes, value: str) -> bytes:
    """The hash of one entity; ``prefix`` is that of its kind."""
    said = value.encode()
    return prefix + struct.pack("<I", len(said)) + said + PROJECT.encode()


def feature_field(view: str, feature: str) -> bytes:
    """The field of a feature within the hash."""
    return struct.pack("<I", mmh3.hash(f"{view}:{feature}", signed=False))


def moment_field(view: str) -> bytes:
    """The field that says of which moment the view's row is."""
    return _MOMENT + view.encode()


def view_fields(view: str, features: Iterable[str]) -> list[bytes]:
    """The fields of a view's row, in the order in which they are written."""
    return [*(feature_field(view, feature) for feature in features), moment_field(view)]
