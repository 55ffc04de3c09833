"""A shop in Berlin whose days a test delivers as canonical CSV, and one way to measure them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from features.events.ingest import ingest
from features.events.manifest import Manifest
from features.events.publish import STAGED_GATE, publish
from infra.lake import write_json
from infra.partitions import Span
from infra.settings import Settings
from validation.profile.findings import Profile
from validation.profile.measure import measure

COLUMNS = "event_id,user_id,item_id,event_type,occurred_at,session_id,dwell_ms,quantity,price,currency"
DELIVERED = datetime(2011, 1, 5, tzinfo=UTC)

Row = dict[str, Any]


class Shop:
    """Delivers, closes and measures days; times are Berlin's where they have no offset."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.lake = settings.lake

    def deliver(
        self,
        when: date | Span,
        *rows: Row,
        name: str = "log.csv",
        gate: tuple[Sequence[str], Sequence[str]] | None = None,
        **more: Any,
    ) -> Manifest:
        """Publish rows for a day or a span (a bulk history); ``gate`` are rules failed and warned of."""
        span = when if isinstance(when, Span) else Span.of_day(when)
        path = self.settings.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = [",".join(str(row.get(column, "")) for column in COLUMNS.split(",")) for row in rows]
        path.write_text("\n".join([COLUMNS, *lines, ""]), encoding="utf-8")
        keywords = {"bulk": isinstance(when, Span), "delivered_at": DELIVERED, **more}
        manifest = ingest(self.settings, "canonical", [path] if rows else [], span, **keywords)
        if gate is not None:
            failed, warnings = gate
            verdict = {"passed": not failed, "failed": failed, "warnings": warnings, "docs": None}
            write_json(self.lake.staging(manifest.delivery_id) / STAGED_GATE, verdict)
        publish(self.settings, [manifest.delivery_id], gated=False)
        return manifest

    def measure(self, when: date | Span) -> Profile:
        return measure(self.settings, when if isinstance(when, Span) else Span.of_day(when))


@pytest.fixture
def shop_with(tmp_path: Path, make_settings: Callable[..., Settings]) -> Callable[..., Shop]:
    """Make the shop; keywords override settings."""

    def make(**overrides: Any) -> Shop:
        keywords = {"clock": "2011-01-10T00:00:00+00:00", "timezone": "Europe/Berlin", "source": "canonical"}
        return Shop(make_settings(tmp_path / "home", **{**keywords, **overrides}))

    return make


@pytest.fixture
def shop(shop_with: Callable[..., Shop]) -> Shop:
    return shop_with()


@pytest.fixture(scope="session")
def row() -> Callable[..., Row]:
    """One row: ``row("2010-12-01 10:00:00", user_id="")``; a view of i1 by u1 unless said otherwise."""

    def make(occurred_at: str, **cells: Any) -> Row:
        return {"user_id": "u1", "item_id": "i1", "event_type": "view", "occurred_at": occurred_at, **cells}

    return make
