"""Feast's values back from their bytes, and what stands for a value that is not there."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from features.store.wire import (
    BITS,
    DOUBLE,
    DOUBLE_LIST,
    INT64,
    INT64_LIST,
    MORE,
    STRING_LIST,
    read_varint,
)
from features.view import Kind

#: From so many bytes on NumPy is sooner done with a list of numbers than Python.
_MANY: Final = 64
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
    _require(said, INT64)
    return read_varint(said, 1)[0]


class _Counts(dict[bytes | None, int]):
    """Numbers by their bytes: an answer has thousands of them, and most are small and were read before."""

    def __missing__(self, said: bytes | None) -> int:
        number = _int64(said) if said else 0
        if not said or len(said) <= _SHORT:
            self[said] = number
        return number


def _double(said: bytes) -> float:
    _require(said, DOUBLE)
    return float(struct.unpack_from("<d", said, 1)[0])


def _strings(said: bytes) -> list[str]:
    _require(said, STRING_LIST)
    _length, at = read_varint(said, 1)
    found = []
    while at < len(said):
        length, at = read_varint(said, at + 1)
        found.append(said[at : at + length].decode())
        at += length
    return found


def _int64s(said: bytes) -> list[int]:
    body = _packed(said, INT64_LIST)
    if len(body) >= _MANY:
        return _many(np.frombuffer(body, dtype=np.uint8))
    found, at = [], 0
    while at < len(body):
        number, at = read_varint(body, at)
        found.append(number)
    return found


def _many(body: np.ndarray[Any, np.dtype[np.uint8]]) -> list[int]:
    """All varints at once: the digits of each, moved to their places, are added up."""
    ends = np.flatnonzero(body < MORE)
    starts = np.concatenate([[0], ends[:-1] + 1])
    places = np.arange(len(body)) - np.repeat(starts, ends - starts + 1)
    digits = (body % MORE).astype(np.uint64) << (places * BITS).astype(np.uint64)
    return list(np.add.reduceat(digits, starts).view(np.int64).tolist())


def _doubles(said: bytes) -> list[float]:
    body = _packed(said, DOUBLE_LIST)
    return list(struct.unpack(f"<{len(body) // 8}d", body))


def _packed(said: bytes, tag: bytes) -> bytes:
    """The numbers of a list, one after the other."""
    _require(said, tag)
    length, at = read_varint(said, 1)
    if length:
        _length, at = read_varint(said, at + 1)
    return said[at:]


def _require(said: bytes, tag: bytes) -> None:
    if not said.startswith(tag):
        raise ValueError(f"its bytes begin with {said[:1].hex()} instead of {tag.hex()}")


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
