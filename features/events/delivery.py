"""Deliveries: what files are one, what it is called, and since when it is known."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from features.events.landing_folder import delivered_at
from features.events.manifest import STAGED_MANIFEST, SourceFile, read_manifest
from features.events.reading.packed import PARQUET, packed, require_small, require_whole
from infra.errors import DeliveryError
from infra.partitions import Span
from infra.settings import Settings

_BLOCK: Final = 1 << 20
_CLOCKS_DIFFER: Final = timedelta(days=1)


def describe(files: Sequence[Path], unpacked_bytes: int) -> tuple[SourceFile, ...]:
    """Size and digest of each file, in the order given.

    Raises:
        DeliveryError: a file that cannot be opened, or that unpacks to more than ``unpacked_bytes``.
    """
    return tuple(_describe(path, unpacked_bytes) for path in files)


def stamps(files: Sequence[Path]) -> tuple[tuple[int, int], ...]:
    """Size and time of the last change of each file, to be held against later ones.

    Raises:
        DeliveryError: a file that is not there or may not be read.
    """
    return tuple(_stamp(path) for path in files)


def require_unchanged(files: Sequence[Path], before: Sequence[tuple[int, int]]) -> None:
    """Hold that files are what they were at ``before`` (``stamps``): what was digested is what was read.

    Raises:
        DeliveryError: one has changed.
    """
    for path, stamp in zip(files, before, strict=True):
        if _stamp(path) != stamp:
            raise DeliveryError(
                f"{path} changed while it was read.", "Write it elsewhere and move it into place when it is whole."
            )


def _stamp(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError as error:
        raise _unopened(path, error) from error
    return found.st_size, found.st_mtime_ns


def delivery_id(source: str, files: Sequence[SourceFile], span: Span, old_ids: Sequence[str] = ()) -> str:
    """The same content for the same span is the same delivery, whatever its files are called.

    Args:
        old_ids: of rows that come out of the quarantine: two may be equal but for their ids.
    """
    content = "\n".join((source, str(span), *(file.sha256 for file in files), *old_ids))
    return f"{source}-{span.start:%Y%m%d}-{hashlib.sha256(content.encode()).hexdigest()[:16]}"


def known_since(settings: Settings, delivery: str, folder: Path | None) -> datetime:
    """The moment from which a delivery is known: said by the folder, else its first ingest, else now.

    Raises:
        DeliveryError: ``_delivery.json`` cannot be read, or its moment lacks an offset.
    """
    said, now = delivered_at(folder) if folder else None, settings.shop_clock().now()
    if said is not None and said > now + _CLOCKS_DIFFER:
        raise DeliveryError(
            f"{folder} says that it was delivered at {said.isoformat()}, and the shop's clock shows {now.isoformat()}.",
            "Mend the marker _delivery.json, or delete it.",
        )
    if said is not None:
        return said
    lake = settings.lake
    if (lake.staging(delivery) / STAGED_MANIFEST).exists() or lake.manifest(delivery).exists():
        return read_manifest(lake, delivery).delivered_at
    return now


def _describe(path: Path, unpacked_bytes: int) -> SourceFile:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as stream:
            while block := stream.read(_BLOCK):
                digest.update(block)
    except OSError as error:
        raise _unopened(path, error) from error
    if packed(path):
        require_whole(path, unpacked_bytes)
    if path.name.lower().endswith(PARQUET):
        require_small(path, unpacked_bytes)
    return SourceFile(name=path.name, bytes=path.stat().st_size, sha256=digest.hexdigest())


def _unopened(path: Path, error: OSError) -> DeliveryError:
    return DeliveryError(f"{path} cannot be read: {error.strerror}.", "Check its path and rights.")
