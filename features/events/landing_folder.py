"""Landing folders: what lies in one, and what its markers say.

Beside a delivery's files may lie ``_delivery.json`` with ``{"delivered_at": ISO 8601 with offset}``, the moment
from which the delivery is known, and ``_CLOSED``: the day has no rows (empty: the shop was closed; with a text:
skipped, for that reason). ``_published.json`` with ``{"delivery_id": …}`` says that its files had their time
and were removed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

from features.events.manifest import Closed
from features.events.reading.relations import DATA_SUFFIXES
from features.events.sources import source_named
from infra.errors import DeliveryError, LakeError
from infra.lake import read_json, written_aside
from infra.partitions import Span, require_over
from infra.settings import Settings

CLOSED_MARKER: Final = "_CLOSED"
DELIVERY_MARKER: Final = "_delivery.json"
PUBLISHED_MARKER: Final = "_published.json"


@dataclass(frozen=True)
class Found:
    """What lies in a landing folder: data files by name, and the names of those that are none.

    ``published``: the delivery whose files lay here, and were removed after it was published.
    """

    folder: Path
    files: tuple[Path, ...]
    ignored: tuple[str, ...]
    closed: Closed = "rows"
    reason: str = ""
    published: str | None = None


def find_files(settings: Settings, source: str, day: date | None, *, quiet: str = "") -> Found:
    """Look for the files of ``source`` for one day, or of its bulk history (``day`` is None).

    Args:
        quiet: why a folder without data is a day without rows; empty: it is not.

    Raises:
        DeliveryError: there is no folder, or nothing in it that could be data, or data beside the
            marker of a day without any.
    """
    folder = settings.lake.landing_history(source) if day is None else settings.lake.landing_day(source, day)
    if not folder.is_dir():
        raise DeliveryError(f"Nothing arrived: {folder} does not exist.", _mend(folder, day))
    files = data_files(folder)
    other = tuple(sorted(entry.name for entry in folder.iterdir() if entry not in files and entry.name[0] != "."))
    ignored = tuple(name for name in other if name not in (CLOSED_MARKER, DELIVERY_MARKER, PUBLISHED_MARKER))
    if CLOSED_MARKER not in other:
        published = published_from(folder)
        if not files and published is None and quiet:
            return Found(folder, (), ignored, "empty", quiet)
        if not files and published is None:
            seen = f" (it holds {', '.join(ignored)})" if ignored else ""
            raise DeliveryError(f"No data file lies in {folder}{seen}.", _mend(folder, day))
        return Found(folder, files, ignored, published=published)
    if files:
        raise DeliveryError(
            f"{folder} holds {files[0].name} and the marker {CLOSED_MARKER}, which says that there is no data.",
            f"Delete {CLOSED_MARKER} to take the file, or the file to leave the day without rows.",
        )
    reason = (folder / CLOSED_MARKER).read_text(encoding="utf-8", errors="replace").strip()
    return Found(folder, (), ignored, "skipped" if reason else "empty", reason or "the shop was closed")


def data_files(folder: Path) -> tuple[Path, ...]:
    """The files in a landing folder that could be data, by name."""
    found = (entry for entry in folder.iterdir() if entry.is_file() and not entry.name.startswith((".", "_")))
    return tuple(sorted(entry for entry in found if entry.name.lower().endswith(DATA_SUFFIXES)))


def published_from(folder: Path) -> str | None:
    """The delivery whose files lay in a landing folder until they had their time."""
    marker = folder / PUBLISHED_MARKER
    try:
        return str(read_json(marker)["delivery_id"]) if marker.exists() else None
    except (LakeError, ValueError, KeyError, TypeError) as error:
        raise DeliveryError(f"{marker} cannot be used: {error!r}.", "Delete it, and put the files back.") from error


def skip(settings: Settings, source: str, span: Span, reason: str) -> dict[date, Path]:
    """Release days that cannot be had: mark each as without rows, for a stated reason, or none of them.

    Returns:
        The marker of each day.

    Raises:
        DeliveryError: no reason, no such source, or a day has files.
    """
    require_over(span, settings.shop_clock().now(), settings.zone)
    source_named(source)  # which may not be spelled wrong: the day would wait on
    if not reason.strip():
        raise DeliveryError(f"{span} cannot be skipped without a reason.", "Say why with --reason.")
    folders = {day: settings.lake.landing_day(source, day) for day in span.days()}
    for day, folder in folders.items():
        if folder.is_dir() and data_files(folder):
            raise DeliveryError(f"{day} has data in {folder}.", "Ingest it, or move the files away to skip the day.")
    for folder in folders.values():
        with written_aside(folder / CLOSED_MARKER) as aside:
            aside.write_text(reason.strip() + "\n", encoding="utf-8")
    return {day: folder / CLOSED_MARKER for day, folder in folders.items()}


def delivered_at(folder: Path) -> datetime | None:
    """The moment from which the delivery in a landing folder is known; None: nothing says it.

    Raises:
        DeliveryError: ``_delivery.json`` cannot be read, or its moment lacks an offset.
    """
    marker = folder / DELIVERY_MARKER
    if not marker.exists():
        return None
    try:
        moment = datetime.fromisoformat(read_json(marker)["delivered_at"])
        if moment.tzinfo is None:
            raise ValueError("the moment has no offset")
        return moment.astimezone(UTC)
    except (LakeError, ValueError, KeyError, TypeError, OverflowError) as error:
        raise DeliveryError(
            f"{marker} cannot be used: {error!r}.", 'Write {"delivered_at": "2010-12-10T01:00:00+00:00"} or delete it.'
        ) from error


def _mend(folder: Path, day: date | None) -> str:
    if day is None:
        return f"Put the files of the history into {folder}."
    return f"Put the day's file into {folder}, or release the day: penchant skip {day} --reason '…'."
