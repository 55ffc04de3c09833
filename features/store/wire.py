"""How Feast's values lie in Valkey: the tags of its kinds, numbers as varints, moments.

A value is a tag, which says its kind, and then what it holds; null is no bytes at all. A varint has seven bits of a
number a byte, the lowest first; the eighth bit says that more follow. (Protocol buffers, of ``ValueProto``.)
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

# the number of the field in ValueProto and how it is written: 0 varint, 1 eight bytes, 2 a length and so many bytes
INT64: Final = bytes([4 << 3 | 0])
DOUBLE: Final = bytes([5 << 3 | 1])
STRING_LIST: Final = bytes([12 << 3 | 2])
INT64_LIST: Final = bytes([14 << 3 | 2])
DOUBLE_LIST: Final = bytes([15 << 3 | 2])
#: Of a list its only field: the values.
ITEMS: Final = bytes([1 << 3 | 2])
NULL: Final = b""

BITS: Final = 7
MORE: Final = 1 << BITS
#: Bytes that a number of 64 bits takes at most.
LONGEST: Final = 10

_WHOLE: Final = 1 << 64
_SHORT: Final = [bytes([number]) for number in range(MORE)]
_SECONDS: Final = bytes([1 << 3 | 0])
_NANOS: Final = bytes([2 << 3 | 0])


def varint(number: int) -> bytes:
    """A number of at most 64 bits; a negative one takes ten bytes."""
    if 0 <= number < MORE:
        return _SHORT[number]
    number %= _WHOLE
    written = bytearray()
    while number >= MORE:
        written.append(number % MORE | MORE)
        number >>= BITS
    written.append(number)
    return bytes(written)


def read_varint(said: bytes, at: int = 0) -> tuple[int, int]:
    """The number (64 bits, signed) that begins at ``at``, and where it ends."""
    number = shift = 0
    while said[at] >= MORE:
        number |= (said[at] - MORE) << shift
        shift += BITS
        at += 1
    number |= said[at] << shift
    return number - _WHOLE if number >= _WHOLE // 2 else number, at + 1


def timestamp(microseconds: int) -> bytes:
    """A moment, in microseconds since 1970 UTC, as Google's ``Timestamp``: seconds and nanoseconds, zeros left out."""
    seconds, rest = divmod(microseconds, 1_000_000)
    said = _SECONDS + varint(seconds) if seconds else NULL
    return said + _NANOS + varint(rest * 1000) if rest else said


@lru_cache(1 << 10)  # rows of a day share their moment
def microseconds(said: bytes) -> int:
    """The moment of a ``Timestamp``, in microseconds since 1970 UTC."""
    found, at = {_SECONDS: 0, _NANOS: 0}, 0
    while at < len(said):
        tag = said[at : at + 1]
        found[tag], at = read_varint(said, at + 1)
    return found[_SECONDS] * 1_000_000 + found[_NANOS] // 1000
