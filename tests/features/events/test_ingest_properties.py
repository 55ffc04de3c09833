"""Whatever the log: the identity holds, fates are what a plain count says, a second delivery is all duplicates."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.events.ingest import ingest
from features.events.manifest import Manifest
from features.events.publish import publish
from infra.partitions import Span
from infra.settings import Settings

pytestmark = pytest.mark.thorough

DAY = date(2010, 12, 1)
NOW = datetime(2010, 12, 4, tzinfo=UTC)
LATE_DAYS = 5

rows = st.fixed_dictionaries(
    {
        "event_id": st.sampled_from([None, None, "a", "b", "c"]),
        "user_id": st.sampled_from([None, "1", "2.0", "ü"]),
        "item_id": st.sampled_from(["x", "y", None]),
        "event_type": st.sampled_from(["view", "purchase", "login", "dance"]),
        "occurred_at": st.integers(-9, 4).map(lambda days: f"{DAY + timedelta(days=days)} 12:00:00") | st.just("?"),
        "quantity": st.sampled_from([None, 1, 0, "many"]),
        "title": st.sampled_from([None, "RED 'MUG'", 'a "box"', "línea\nnew"]),
    }
)


def fates(log: list[dict[str, Any]]) -> Counter[str]:
    """The same decisions, one row at a time."""
    found: Counter[str] = Counter()
    known: set[tuple[str, date]] = set()
    for row in log:
        day = None if row["occurred_at"] == "?" else date.fromisoformat(row["occurred_at"][:10])
        itemless = row["item_id"] is None and row["event_type"] != "login"
        if (
            day is None
            or day > date(2010, 12, 3)
            or itemless
            or row["event_type"] == "dance"
            or row["quantity"] in (0, "many")
            or (day - DAY).days < -LATE_DAYS
        ):
            found["quarantined"] += 1
        elif (row["event_id"], day) in known:
            found["duplicate"] += 1
        else:
            known |= {(row["event_id"], day)} if row["event_id"] else set()
            found["late" if day < DAY else "early" if day > DAY else "accepted"] += 1
    return found


def deliver(shop: Settings, folder: Path, log: list[dict[str, Any]], name: str) -> Manifest:
    path = folder / name
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in log), encoding="utf-8")
    manifest = ingest(shop, "canonical", [path], Span.of_day(DAY), bulk=False, delivered_at=NOW)
    publish(shop, [manifest.delivery_id], gated=False)
    return manifest


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(rows, min_size=1, max_size=25))
def test_any_log(make_settings: Callable[..., Settings], contents: Any, log: list[dict[str, Any]]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shop = make_settings(folder / "home", clock=NOW.isoformat(), late_days=LATE_DAYS)
        manifest = deliver(shop, folder, log, "log.jsonl")
        assert manifest.rows_in == len(log)
        counted = {fate: getattr(manifest, fate) for fate in ("accepted", "duplicate", "late", "early", "quarantined")}
        assert counted == {fate: fates(log)[fate] for fate in counted}

        before = contents(shop.lake.root)
        assert deliver(shop, folder, log, "log.jsonl") == manifest
        assert contents(shop.lake.root) == before

        again = deliver(shop, folder, [*log, {**log[0], "event_type": "dance"}], "other.jsonl")
        assert (again.accepted, again.late, again.early) == (0, 0, 0)
        assert again.duplicate == manifest.accepted + manifest.duplicate + manifest.late + manifest.early
        assert again.quarantined == manifest.quarantined + 1
