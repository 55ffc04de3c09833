"""A small shop whose closed days a test writes itself, without ingest."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.events.manifest import Manifest
from features.events.schema import EVENT, ITEM
from features.versions import files_of
from infra.lake import read_json, write_json
from infra.partitions import Span, day_end, day_of, day_start
from infra.settings import Settings

#: Every way in which the file system is changed but for the writing of what nobody reads yet.
STEPS = ("replace", "unlink", "rmdir")

Event = dict[str, Any]
LAG = timedelta(minutes=60)


class Shop:
    """Publishes events as closed partitions and reads what was built of them."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.lake = settings.lake

    def publish(self, span: Span, events: Iterable[Event], delivery: str = "d1", lag: timedelta = LAG) -> None:
        """Close every day of ``span`` with those of ``events`` that fall on it; the rest is ignored."""
        by_day: dict[date, list[Event]] = {day: [] for day in span.days()}
        for event in events:
            day = day_of(event["occurred_at"], self.settings.zone)
            if day in by_day:
                by_day[day].append(event)
        for day, rows in by_day.items():
            self._close(day, rows, delivery, lag)

    def items(
        self,
        categories: Mapping[str, str],
        delivery: str = "items",
        bulk: bool = True,
        moment: datetime = datetime(2000, 1, 1, tzinfo=UTC),
        price: int = 100,
    ) -> None:
        """Tell the catalogue which item is of which category, and since when (in bulk: from the beginning)."""
        rows = [
            {"item_id": item, "category_path": [name], "title": item, "price": price, "valid_from": moment}
            for item, name in sorted(categories.items())
        ]
        self._write(pa.Table.from_pylist(rows, ITEM), self.lake.items(delivery))
        Manifest(
            delivery_id=delivery,
            source="test",
            files=(),
            span_start=date(2000, 1, 1),
            span_end=date(2000, 1, 2),
            bulk=bulk,
            delivered_at=moment,
            ingested_at_rule="test",
            rule_version="1",
        ).write(self.lake.manifest(delivery))

    def rows(self, view: str, span: Span) -> dict[date, list[dict[str, Any]]]:
        """The rows of a view by day, as they were first known."""
        return {day: pq.read_table(self.lake.feature(view, day)).to_pylist() for day in span.days()}

    def versions(self, view: str, day: date) -> list[dict[str, Any]]:
        """All versions of a view's rows of a day, those of one entity in the order in which they became known."""
        rows = [row for path in files_of(self.lake, view, Span.of_day(day)) for row in pq.read_table(path).to_pylist()]
        entity = next(iter(rows[0])) if rows else ""
        return sorted(rows, key=lambda row: (row[entity], row["created_timestamp"]))

    def bytes_of(self, *names: str) -> dict[str, bytes]:
        """The files below folders of the lake, by path."""
        found = (path for name in names for path in (self.lake.root / name).rglob("*.parquet"))
        return {str(path.relative_to(self.lake.root)): path.read_bytes() for path in found}

    def _close(self, day: date, rows: list[Event], delivery: str, lag: timedelta) -> None:
        """Close a day, or add to a closed one what another delivery brings late."""
        known = day_end(day, self.settings.zone) + lag
        common = {
            "ingested_at": known,
            "ingested_assumed": False,
            "is_bot": False,
            "source": "test",
            "delivery_id": delivery,
        }
        table = pa.Table.from_pylist([{**common, **event} for event in rows], EVENT)
        self._write(table, self.lake.events(day, delivery))
        path = self.lake.partition(day)
        before = read_json(path) if path.exists() else {}
        told = {"at": known.isoformat(), "rows": len(rows), "digest": "+".join(event["event_id"] for event in rows)}
        others = [entry for entry in before.get("known", []) if entry["at"] != told["at"]]
        marker = {
            "day": str(day),
            "rows": sum(entry["rows"] for entry in [*others, told]),
            "mix": {**before.get("mix", {}), **Counter(event["event_type"] for event in rows)},
            "closed_at": before.get("closed_at", told["at"]),
            "known_at": max(told["at"], before.get("known_at", told["at"])),
            "known": sorted([*others, told], key=lambda entry: entry["at"]),
            "deliveries": sorted({*before.get("deliveries", []), delivery}),
        }
        write_json(path, marker)

    def _write(self, table: pa.Table, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, path)


@pytest.fixture(scope="session")
def shop_of() -> Callable[[Settings], Shop]:
    """Make the shop of some settings."""
    return Shop


@pytest.fixture(scope="session")
def event_of() -> Callable[..., Event]:
    """Make one event: its day and the microseconds since the shop's day began, and what differs from a view."""

    def make(settings: Settings, day: date, offset_us: int = 0, **fields: Any) -> Event:
        occurred = day_start(day, settings.zone) + timedelta(microseconds=offset_us)
        made = {"user_id": "u1", "item_id": "i1", "event_type": "view", "source_position": 0, "event_id": "e"}
        return {**made, "occurred_at": occurred, **fields}

    return make


class Killed(BaseException):
    """The process is gone: it does not clean up either."""


@pytest.fixture
def dies(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, Callable[[], object]], bool]:
    """Do some work, killed at the ``step``-th change of the file system: whether it had so many."""

    def make(step: int, work: Callable[[], object]) -> bool:
        calls = 0

        def dying(real: Callable[..., Any]) -> Callable[..., Any]:
            def call(*arguments: Any, **keywords: Any) -> Any:
                nonlocal calls
                calls += 1
                if calls >= step:
                    raise Killed
                return real(*arguments, **keywords)

            return call

        with monkeypatch.context() as patched:
            for name in STEPS:
                patched.setattr(os, name, dying(getattr(os, name)))
            try:
                work()
            except Killed:
                return True
        return False

    return make
