"""Every path of the lake, and the one way to write into it.

Layout below the lake's root (``D`` a shop day, ``YYYY-MM-DD``)::

    landing/<source>/history/…            files of the bulk history, as they arrived
    landing/<source>/dt=D/…               files of one day; _CLOSED: the shop was closed; _published.json: the files
                                          had their time, the delivery is in the lake
    staging/<delivery>/                   a delivery before the gate: manifest.json, dt=D.parquet, items.parquet
    events/dt=D/<delivery>.parquet        accepted events of the day, one file a delivery
    events/dt=D/merged-<digest>.parquet   rows of several deliveries, in place of their own files
    items/<delivery>.parquet              what the delivery said about items
    quarantine/<delivery>.parquet         rows refused, with their reasons
    decisions/<id>.parquet                what became of refused rows: replayed or dropped, by whom and why
    aliases/<delivery>.parquet            ids that replayed rows would have today
    manifests/<delivery>.json             published deliveries: the accounting
    partitions/D.json                     closed days: rows, mix, known_at, deliveries, and the files that readers take
    tiles/dt=D.parquet                    user x item x behaviour x day
    baskets/dt=D.parquet                  baskets of the day by item and pair of items
    segments/dt=D.parquet                 segment x user x behaviour x day
    features/<view>/dt=D.parquet          rows of a feature view whose content changed on D, as they were first known
    features/<view>/dt=D.known=K.parquet  those of them that were others after a late delivery, known from K on
    built/D.json                          what the features of a day were made from
    checkpoints/<view>/dt=D.parquet       the last row of every user through D, so that few files are read
    .before.<process>/                    files that a build replaces, until it is through
    spill/                                what DuckDB cannot hold in memory; nothing of it lasts
    snapshots/<id>/                       point-in-time training sets
    evaluations/<id>/                     figures per moment, read by the model gate
    reports/gate/                         data docs
    reports/profile/<span>.html           what a day or a span holds, to look at
    reports/skew/D.json, D.md             what answers of the day saw, held against the lake
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

from infra.errors import LakeError
from infra.partitions import Span

_KNOWN: Final = "%Y%m%dT%H%M%S%fZ"
#: Kinds of files that windows are made from, one a day.
DAILY: Final = ("tiles", "user_days", "baskets", "segments")


@dataclass(frozen=True)
class Lake:
    """The lake under ``root``; every method names a path and touches nothing."""

    root: Path

    @property
    def landings(self) -> Path:
        return self.root / "landing"

    def landing(self, source: str) -> Path:
        return self.landings / source

    def landing_history(self, source: str) -> Path:
        return self.landing(source) / "history"

    def landing_day(self, source: str, day: date) -> Path:
        return self.landing(source) / f"dt={day}"

    @property
    def stagings(self) -> Path:
        return self.root / "staging"

    def staging(self, delivery_id: str) -> Path:
        return self.stagings / delivery_id

    @property
    def events_folder(self) -> Path:
        return self.root / "events"

    def events_day(self, day: date) -> Path:
        return self.events_folder / f"dt={day}"

    def days_with_events(self) -> list[date]:
        """Days that have a folder of events, closed or not, in order."""
        named = (day_named(path.name) for path in (self.root / "events").glob("dt=*"))
        return sorted(day for day in named if day is not None)

    def events(self, day: date, delivery_id: str) -> Path:
        return self.events_day(day) / f"{delivery_id}.parquet"

    def merged(self, day: date, digest: str) -> Path:
        return self.events_day(day) / f"merged-{digest}.parquet"

    def items(self, delivery_id: str) -> Path:
        return self.root / "items" / f"{delivery_id}.parquet"

    def quarantine(self, delivery_id: str) -> Path:
        return self.root / "quarantine" / f"{delivery_id}.parquet"

    def decision(self, decision_id: str) -> Path:
        return self.root / "decisions" / f"{decision_id}.parquet"

    def decisions(self) -> list[Path]:
        """What became of refused rows, by id."""
        return sorted((self.root / "decisions").glob("*.parquet"))

    def aliases(self, delivery_id: str) -> Path:
        return self.root / "aliases" / f"{delivery_id}.parquet"

    def all_aliases(self) -> list[Path]:
        return sorted((self.root / "aliases").glob("*.parquet"))

    def manifest(self, delivery_id: str) -> Path:
        return self.root / "manifests" / f"{delivery_id}.json"

    def partition(self, day: date) -> Path:
        return self.root / "partitions" / f"{day}.json"

    def daily(self, kind: str, day: date) -> Path:
        """What the events of a day come to, of one of ``DAILY``."""
        return self.root / kind / f"dt={day}.parquet"

    def feature_folder(self, view: str) -> Path:
        return self.root / "features" / view

    def feature(self, view: str, day: date) -> Path:
        return self.feature_folder(view) / f"dt={day}.parquet"

    def revision(self, view: str, day: date, known_at: datetime) -> Path:
        return self.feature_folder(view) / f"dt={day}.known={known_at.strftime(_KNOWN)}.parquet"

    def built(self, day: date) -> Path:
        return self.root / "built" / f"{day}.json"

    def checkpoint_folder(self, view: str) -> Path:
        return self.root / "checkpoints" / view

    def checkpoint(self, view: str, day: date) -> Path:
        return self.checkpoint_folder(view) / f"dt={day}.parquet"

    @property
    def before(self) -> Path:
        """Named as what is written aside (``written_aside``): what a killed process leaves is found by that."""
        return self.root / f".before.{os.getpid()}"

    @property
    def spill(self) -> Path:
        return self.root / "spill"

    def snapshot(self, snapshot_id: str) -> Path:
        return self.root / "snapshots" / snapshot_id

    def evaluation(self, evaluation_id: str) -> Path:
        return self.root / "evaluations" / evaluation_id

    @property
    def reports(self) -> Path:
        return self.root / "reports"

    def profile(self, span: Span) -> Path:
        """Of a day named by the day, of several by the span."""
        return self.reports / "profile" / f"{span.start if len(span) == 1 else span}.html"

    def skew(self, day: date) -> Path:
        """The figures; the same for people has the suffix ``.md``."""
        return self.reports / "skew" / f"{day}.json"

    def skews(self) -> list[Path]:
        """The figures of every day that has some, by day."""
        return sorted(self.skew(date.min).parent.glob("*.json"))

    def published(self) -> Iterator[Path]:
        """Manifests of published deliveries, by name."""
        return iter(sorted((self.root / "manifests").glob("*.json")))

    def closed_days(self) -> list[date]:
        """Days whose partition is closed, in order."""
        return sorted(date.fromisoformat(path.stem) for path in (self.root / "partitions").glob("*.json"))


def day_named(name: str) -> date | None:
    """The day of a folder ``dt=DAY``; None: it is called otherwise."""
    try:
        return date.fromisoformat(name.removeprefix("dt="))
    except ValueError:
        return None


def dated(folder: Path) -> list[tuple[date, Path]]:
    """The files ``dt=D.parquet`` in ``folder``, and revisions of them, with their days, in order."""
    return sorted((date.fromisoformat(path.name[3:13]), path) for path in folder.glob("dt=*.parquet"))


def known_since(path: Path) -> datetime | None:
    """Since when the rows of a revision are known, by its name; None: it is the first file of its day."""
    _day, _, known = path.name.removesuffix(".parquet").partition(".known=")
    return datetime.strptime(known, _KNOWN).replace(tzinfo=UTC) if known else None


@contextmanager
def written_aside(path: Path) -> Iterator[Path]:
    """Yield a path to write to; on success it becomes ``path`` at once, on failure nothing remains.

    Works for a file and for a folder: whoever reads ``path`` sees the old content or the new, never
    half of it. The temporary name starts with a dot, so that no reader's pattern takes it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    _remove(aside)
    try:
        yield aside
        if path.is_dir():
            _remove(path)
        aside.replace(path)
    finally:
        _remove(aside)


def write_json(path: Path, content: Any) -> None:
    """Write ``content`` aside and rename: equal content gives equal bytes."""
    with written_aside(path) as aside:
        aside.write_text(json.dumps(content, indent=2, sort_keys=True, default=str) + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:
    """What ``write_json`` wrote.

    Raises:
        LakeError: the file is not whole.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise LakeError(
            f"{path} is not whole: {error}.",
            "Bring it back from a copy; one in built/ may be deleted, its day is built again then.",
        ) from error


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    elif path.exists():
        path.unlink()
