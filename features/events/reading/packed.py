"""Compressed files: opened as what is in them, and held to limits before anything else reads them."""

from __future__ import annotations

import gzip
import zlib
from io import BufferedReader
from pathlib import Path
from typing import IO, Final

import pyarrow as pa
import pyarrow.parquet as pq

from features.events.reading.unreadable import unreadable
from infra.errors import DeliveryError

GZIP: Final = ".gz"
PARQUET: Final = ".parquet"
ZSTD: Final = ".zst"
#: What opening and reading may raise.
PACK_ERRORS: Final = (OSError, EOFError, zlib.error)

_BLOCK: Final = 1 << 20
# text of logs shrinks to a tenth, rarely to a fiftieth
_RATIO: Final = 200
_RATIO_FROM: Final = 1 << 28


def packed(path: Path) -> bool:
    """Whether the file's name says that it is compressed."""
    return path.name.lower().endswith((GZIP, ZSTD))


def opened(path: Path) -> IO[bytes]:
    """The file's content as bytes, unpacked if its name says that it is packed."""
    lowered = path.name.lower()
    if lowered.endswith(GZIP):
        return BufferedReader(gzip.open(path))
    if lowered.endswith(ZSTD):
        return BufferedReader(pa.input_stream(str(path), compression="zstd"))
    return path.open("rb")


def require_small(path: Path, limit: int) -> None:
    """Hold what a Parquet file says that it holds unpacked to ``limit`` bytes; one that says nothing passes here.

    Raises:
        DeliveryError: it is more.
    """
    try:
        held = pq.read_metadata(path)
    except (pa.ArrowException, OSError):
        return  # whoever reads it says what it is
    size = sum(held.row_group(number).total_byte_size for number in range(held.num_row_groups))
    if size > limit:
        raise _too_large(path, size)


def require_whole(path: Path, limit: int) -> None:
    """Unpack a compressed file to its end: DuckDB does not compare checksums, and knows no limit.

    Args:
        limit: bytes that it may hold unpacked.

    Raises:
        DeliveryError: it is cut off or damaged, or it unpacks to more than ``limit`` or than any log would.
    """
    size, most = 0, path.stat().st_size * _RATIO
    try:
        with opened(path) as stream:
            while block := stream.read(_BLOCK):
                size += len(block)
                if size > limit or size > max(most, _RATIO_FROM):
                    raise _too_large(path, size)
    except PACK_ERRORS as error:
        raise unreadable(path, error) from error


def _too_large(path: Path, size: int) -> DeliveryError:
    return DeliveryError(
        f"{path} unpacks to {size:,} bytes or more from {path.stat().st_size:,}.",
        "If it is a log all the same, deliver it unpacked or in parts, or raise the setting unpacked_bytes.",
    )
