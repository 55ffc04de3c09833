"""Feast's values back from their bytes, and what stands for a value that is not there."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, Final

from google.protobuf.message import DecodeError

from features.store.messages import NUMBERS, STRINGS
from features.store.wire import DOUBLE, DOUBLE_LIST, INT64, INT64_LIST, MORE, STRING_LIST, read_varint
from features.view import Kind

#: A number with a point: its tag, and eight bytes.
_TAGGED: Final = struct.Struct("<cd")
#: Bytes of the numbers that are remembered: a tag and two of seven bits, at most 16,384 numbers.
_SHORT: Final = 3


def decoder(kind: Kind) -> Callable[[bytes | None], Any]:
    """Reads the bytes of a feature of a kind: without any (there is no row, or a null) it is 0, 0.0 or an empty list.

    What it gives raises ValueError for bytes of another kind.
    """
    read, empty = _READERS[kind], _DEFAULTS[kind]
    if read is _int64:
        return _COUNTS.__getitem__
    return lambda said: read(said) if said else empty()


def _int64(said: bytes) -> int:
    if said[:1] != INT64:
        raise _of_another_kind(said, INT64)
    return read_varint(said, 1)[0]


class _Counts(dict[bytes | None, int]):
    """Numbers by their bytes: an answer has thousands of them, and most are small and were read before."""

    def __missing__(self, said: bytes | None) -> int:
        number = _int64(said) if said else 0
        if not said or len(said) <= _SHORT:
            self[said] = number
        return number


def _double(said: bytes) -> float:
    tag, number = _TAGGED.unpack(said) if len(said) == _TAGGED.size else (None, 0.0)
    if tag != DOUBLE:
        raise _of_another_kind(said, DOUBLE)
    return number  # type: ignore[no-any-return]


def _strings(said: bytes) -> list[str]:
    return _read(STRINGS, _inner(said, STRING_LIST))


def _int64s(said: bytes) -> list[int]:
    body = _inner(said, INT64_LIST)
    if len(body) > 1 and len(body) == body[1] + 2 and body.isascii():
        return list(body[2:])  # a tag, how many bytes follow, and each of these a number
    return _read(NUMBERS, body)


def _read(message: Any, body: bytes) -> list[Any]:
    try:
        return message.FromString(body).val[:]  # type: ignore[no-any-return]
    except DecodeError as error:
        raise ValueError("what follows is cut or damaged") from error


def _doubles(said: bytes) -> list[float]:
    body = _inner(said, DOUBLE_LIST)
    if not body:
        return []
    packed = body[read_varint(body, 1)[1] :]
    return list(struct.unpack(f"<{len(packed) // 8}d", packed))


def _inner(said: bytes, tag: bytes) -> bytes:
    """The message of a list: what follows its tag and its length."""
    if said[:1] != tag:
        raise _of_another_kind(said, tag)
    return said[2:] if said[1] < MORE else said[read_varint(said, 1)[1] :]


def _of_another_kind(said: bytes, tag: bytes) -> ValueError:
    return ValueError(f"its bytes begin with {said[:1].hex()} instead of {tag.hex()}")


_READERS: Final[dict[Kind, Callable[[bytes], Any]]] = {
    "int64": _int64,
    "float64": _double,
    "list<string>": _strings,
    "list<int64>": _int64s,
    "list<float64>": _doubles,
}
_DEFAULTS: Final[dict[Kind, Callable[[], Any]]] = {
    "int64": int,
    "float64": float,
    "list<string>": list,
    "list<int64>": list,
    "list<float64>": list,
}
_COUNTS: Final = _Counts()
