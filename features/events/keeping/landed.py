"""Raw files in the landing zone whose delivery is published and had its time.

The manifest keeps their names, sizes and digests for ever. The folder keeps its markers and gets one
more, ``_published.json``, so that whoever runs its day again is given the published delivery.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from features.events.keeping.removal import Removed, weight_of
from features.events.landing_folder import PUBLISHED_MARKER, data_files, published_from
from features.events.log import listed
from features.events.manifest import Manifest, published
from infra.lake import Lake, day_named, write_json
from infra.settings import Settings

_Key = tuple[str, tuple[int, ...]]


@dataclass(frozen=True)
class Landed:
    """A landing folder whose data files are those of one published delivery, or what is left of them."""

    folder: Path
    delivery_id: str
    files: tuple[Path, ...]

    def retire(self) -> None:
        # the marker first: what a kill leaves of the files must not be taken for a delivery of its own
        write_json(self.folder / PUBLISHED_MARKER, {"delivery_id": self.delivery_id})
        for path in self.files:
            path.unlink()


def retire_landed(settings: Settings, before: datetime, *, dry_run: bool) -> Removed:
    """Remove the raw files of deliveries that are published and were known before ``before``, folder by folder."""
    found = list(landed(settings.lake, before))
    going = found[: settings.removals_a_run]
    files = [path for one in going for path in one.files]
    removed = Removed(len(files), sum(map(weight_of, files)), len(found) - len(going))
    if not dry_run:
        for one in going:
            one.retire()
    return removed


def landed(lake: Lake, before: datetime) -> Iterator[Landed]:
    """Folders whose files may go, by source and name.

    A delivery is found by what its files hold, whatever they are called; one that lies beside another
    file is part of a delivery that was not taken yet, and stays.
    """
    manifests = [manifest for manifest in published(lake) if manifest.files and manifest.delivered_at < before]
    by_size: dict[_Key, list[Manifest]] = {}
    for manifest in manifests:
        sizes = (file.bytes for file in manifest.files)
        by_size.setdefault((manifest.source, tuple(sorted(sizes))), []).append(manifest)
    named = {manifest.delivery_id: manifest for manifest in manifests}
    for folder in sorted(path for path in lake.landings.glob("*/*") if path.is_dir()):
        files = data_files(folder)
        found = _whole(lake, by_size, folder, files) or _rest(named, folder, files)
        if files and found is not None:
            yield Landed(folder, found.delivery_id, files)


def _whole(
    lake: Lake, by_size: Mapping[_Key, Sequence[Manifest]], folder: Path, files: Sequence[Path]
) -> Manifest | None:
    """The published delivery that the files are."""
    key = (folder.parent.name, tuple(sorted(path.stat().st_size for path in files)))
    found = by_size.get(key, []) if files else []
    digests = sorted(map(_digest, files)) if found else []
    for manifest in found:
        same = sorted(file.sha256 for file in manifest.files) == digests
        if same and _is_for(manifest, folder) and _is_closed(lake, manifest):
            return manifest
    return None


def _rest(manifests: Mapping[str, Manifest], folder: Path, files: Sequence[Path]) -> Manifest | None:
    """The delivery whose removal was cut short, if the files are what is left of it."""
    manifest = manifests.get(published_from(folder) or "")
    if manifest is None:
        return None
    digests = {_digest(path) for path in files}
    return manifest if digests < {file.sha256 for file in manifest.files} else None


def _is_for(manifest: Manifest, folder: Path) -> bool:
    """Whether the delivery is for the folder's day; other folders are of no day."""
    name = folder.name
    day = day_named(name)
    return day in manifest.span if day is not None else not name.startswith("dt=")


def _is_closed(lake: Lake, manifest: Manifest) -> bool:
    """Whether publishing it came to its end: the partition of every day of its span counts it."""
    return all(manifest.delivery_id in listed(lake, day).deliveries for day in manifest.span.days())


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
