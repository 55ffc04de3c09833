"""Columns of Arrow as the bytes of Feast's values: what ``ValueProto.SerializeToString`` gives, without messages."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from functools import lru_cache
from itertools import pairwise
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.store.wire import (
    BITS,
    DOUBLE,
    DOUBLE_LIST,
    INT64,
    INT64_LIST,
    ITEMS,
    LONGEST,
    MORE,
    NULL,
    STRING_LIST,
    timestamp,
    varint,
)
from infra.errors import FeatureError

Wrap = Callable[[bytes], bytes]

_BOUNDS: Final = [np.uint64(1 << BITS * count) for count in range(1, LONGEST)]


def encoded(column: pa.Array, name: str, wrap: Wrap = bytes) -> list[bytes]:
    """The bytes of every value of a column.

    Args:
        column: of a type of ``features.views.Kind``.
        name: of the column, for the message.
        wrap: what becomes of the bytes of a value; of scalars each different value is wrapped once.

    Raises:
        FeatureError: another type, or a null in a list of whole numbers, which Feast refuses too.
    """
    encode = _ENCODERS.get(column.type)
    if encode is None:
        raise FeatureError(
            f"The column {name} is {column.type}, which the online store does not hold.",
            f"Make it one of {', '.join(map(str, _ENCODERS))}.",
        )
    try:
        return encode(column, wrap)
    except pa.ArrowInvalid as error:
        raise FeatureError(
            f"The column {name} has {error}, and Feast's value has no place for it.",
            "Leave it out of the list, or put a number for it.",
        ) from error


def timestamps(column: pa.Array, wrap: Wrap = bytes) -> list[bytes]:
    """The bytes of Google's ``Timestamp`` for moments in microseconds."""
    return _by_value(column.cast(pa.int64()), timestamp, wrap)


def varints(numbers: NDArray[np.int64]) -> tuple[bytes, NDArray[np.int64]]:
    """All numbers one after the other, and where each one ends."""
    left = numbers.astype(np.int64).view(np.uint64)
    sizes = np.ones(len(left), dtype=np.int64)
    for bound in _BOUNDS:
        sizes += left >= bound
    ends = np.cumsum(sizes)
    written = np.empty(int(ends[-1]) if len(ends) else 0, dtype=np.uint8)
    for place in range(int(sizes.max(initial=0))):
        live = sizes > place
        digits = (left[live] >> np.uint64(BITS * place)) & np.uint64(MORE - 1)
        more = np.where(sizes[live] > place + 1, np.uint64(MORE), np.uint64(0))
        written[(ends - sizes)[live] + place] = (digits | more).astype(np.uint8)
    return written.tobytes(), ends


def _int64(column: pa.Array, wrap: Wrap) -> list[bytes]:
    return _by_value(column, lambda number: INT64 + varint(number), wrap)


def _double(column: pa.Array, wrap: Wrap) -> list[bytes]:
    # Feast takes what is not a number for null
    return _by_value(column, lambda number: DOUBLE + struct.pack("<d", number) if number == number else NULL, wrap)


def _by_value(column: pa.Array, encode: Callable[..., bytes], wrap: Wrap) -> list[bytes]:
    """Encode each different value once."""
    different = column.dictionary_encode()
    made = [*(wrap(encode(value)) for value in different.dictionary.to_pylist()), wrap(NULL)]
    places = different.indices.fill_null(len(made) - 1).to_numpy(zero_copy_only=False)
    return list(np.array(made, dtype=object)[places])


def _strings(column: pa.Array, wrap: Wrap) -> list[bytes]:
    parts = _by_value(column.flatten().fill_null(""), _string, bytes)  # as Feast writes it
    return _lists(STRING_LIST, column, (NULL.join(parts[start:end]) for start, end in _places(column)), wrap)


@lru_cache(1 << 16)  # items and categories come again in the next batch
def _string(text: str) -> bytes:
    said = text.encode()
    return ITEMS + varint(len(said)) + said


def _int64s(column: pa.Array, wrap: Wrap) -> list[bytes]:
    flat = column.flatten()
    if flat.null_count:
        raise pa.ArrowInvalid("a list with a null in it")
    written, ends = varints(flat.to_numpy())
    at = [0, *ends.tolist()]
    return _lists(INT64_LIST, column, (_packed(written[at[start] : at[end]]) for start, end in _places(column)), wrap)


def _doubles(column: pa.Array, wrap: Wrap) -> list[bytes]:
    written = column.flatten().to_numpy(zero_copy_only=False).astype("<f8").tobytes()
    return _lists(DOUBLE_LIST, column, (_packed(written[8 * start : 8 * end]) for start, end in _places(column)), wrap)


def _packed(said: bytes) -> bytes:
    return ITEMS + varint(len(said)) + said if said else NULL


def _lists(tag: bytes, column: pa.Array, bodies: Iterable[bytes], wrap: Wrap) -> list[bytes]:
    valid = column.is_valid().to_pylist()
    return [wrap(tag + varint(len(body)) + body if known else NULL) for known, body in zip(valid, bodies, strict=True)]


def _places(column: pa.Array) -> Iterable[tuple[int, int]]:
    """Where each list begins and ends among the values of all lists, one after the other."""
    lengths = pc.list_value_length(column).fill_null(0).to_numpy(zero_copy_only=False)
    return pairwise([0, *np.cumsum(lengths).tolist()])


_ENCODERS: Final[dict[pa.DataType, Callable[[pa.Array, Wrap], list[bytes]]]] = {
    pa.int64(): _int64,
    pa.float64(): _double,
    pa.list_(pa.string()): _strings,
    pa.list_(pa.int64()): _int64s,
    pa.list_(pa.float64()): _doubles,
}
