"""Exports: what came into a database since the last one becomes a file in a landing folder, once.

Beside the file lies ``_delivery.json`` with ``delivered_at`` and ``watermark``: the ``number`` of the export
among those of its source, and the marks ``after`` and ``last`` between which it read. The next export goes on
at ``last``, whatever day it is for. The marker is written last: a file without one was cut short.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final

from features.events.landing_folder import DELIVERY_MARKER
from infra.errors import DeliveryError, LakeError
from infra.lake import read_json, write_json, written_aside
from infra.locks import one_at_a_time
from infra.settings import Settings

#: How far a database was read, as JSON holds it; only who reads there knows what it means.
Mark = Mapping[str, Any]
Rows = Iterable[Mapping[str, Any]]
#: Opens what lies beyond a mark (None: everything) as the mark where it ends and its rows in order.
Reading = Callable[[Mark | None], AbstractContextManager[tuple[Mark | None, Rows]]]

_WATERMARK: Final = "watermark"


def export(settings: Settings, folder: Path, name: str, reading: Reading, *, whole: bool = False) -> Path | None:
    """Write what lies beyond the last export's mark into a landing folder, unless that was done before.

    Args:
        folder: landing folder of a day, or of the history; its siblings hold the source's other exports.
        name: what the file of JSON lines is called.
        whole: read everything, wherever the last export ended.

    Returns:
        The file; None if there was no row, then the marker alone says that the mark has moved.

    Raises:
        DeliveryError: a marker that cannot be read, or one that somebody else left here.
    """
    path, marker = folder / name, folder / DELIVERY_MARKER
    with one_at_a_time(settings, f"export-{folder.parent.name}"):
        if not _exported(marker):
            for left in (path, *folder.glob(f".{name}.*")):
                left.unlink(missing_ok=True)  # of an export that was cut short
            number, after = _latest(folder.parent)
            with reading(None if whole else after) as (last, rows):
                _write(path, rows)
            delivered = settings.shop_clock().now().isoformat()
            watermark = {"number": number + 1, "after": None if whole else after, "last": last}
            write_json(marker, {"delivered_at": delivered, _WATERMARK: watermark})
    return path if path.exists() else None


def exports(landing: Path) -> list[tuple[Path, Mark | None, Mark]]:
    """The exports of a source, in the order in which they were made: folder, and the marks between which it read."""
    found = [(marker.parent, _content(marker).get(_WATERMARK)) for marker in landing.glob(f"*/{DELIVERY_MARKER}")]
    made = [(folder, watermark) for folder, watermark in found if isinstance(watermark, dict) and watermark["last"]]
    made.sort(key=lambda one: int(one[1]["number"]))
    return [(folder, watermark["after"], watermark["last"]) for folder, watermark in made]


def went_back(what: str, folder: Path) -> DeliveryError:
    """The database ends before the mark up to which it was read: what it lost may come again under old numbers."""
    return DeliveryError(
        f"{what} ends before the place up to which it was exported: it is an older copy, or was emptied.",
        f"Bring back the newer one; or delete {folder}/*/{DELIVERY_MARKER} to export everything again "
        "(what is known is a duplicate then).",
    )


def _exported(marker: Path) -> bool:
    if not marker.exists():
        return False
    if _WATERMARK not in _content(marker):
        raise DeliveryError(
            f"{marker} lies where an export writes its own.", "Move it away, or name another source for these files."
        )
    return True


def _latest(landing: Path) -> tuple[int, Mark | None]:
    """Number and end of the last export of a source; a lake without any begins with everything."""
    found = [_content(path).get(_WATERMARK) for path in landing.glob(f"*/{DELIVERY_MARKER}")]
    # a bare number is of an older version, which did not export by ranges: all is read again, and known
    marks = [watermark for watermark in found if isinstance(watermark, dict)]
    nothing: dict[str, Any] = {"number": 0, "last": None}
    latest = max(marks, key=lambda watermark: int(watermark["number"]), default=nothing)
    return latest["number"], latest["last"]


def _content(marker: Path) -> dict[str, Any]:
    try:
        return dict(read_json(marker))
    except (LakeError, ValueError, TypeError) as error:
        raise DeliveryError(
            f"{marker} cannot be used: {error!r}.", "It says how far a database was read: bring it back, or delete it."
        ) from error


def _write(path: Path, rows: Rows) -> None:
    """One JSON object a line; no row, no file."""
    with written_aside(path) as aside, aside.open("w", encoding="utf-8") as stream:
        for row in rows:
            stream.write(json.dumps(row, sort_keys=True, ensure_ascii=False) + "\n")
    if path.stat().st_size == 0:
        path.unlink()
