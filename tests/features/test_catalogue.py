"""The catalogue folds what published deliveries said about items."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from features.catalogue import CATALOGUE, catalogue
from features.events.ingest import ingest
from features.events.publish import publish
from infra.partitions import Span
from infra.settings import Settings

HEADER = "item_id,event_type,occurred_at,title,category_path,brand,price"


@pytest.fixture
def mall(tmp_path: Path, make_settings: Callable[..., Settings]) -> Settings:
    return make_settings(tmp_path / "home", clock="2010-12-10T00:00:00+00:00")


def deliver(mall: Settings, day: int, rows: list[str], *, bulk: bool = False) -> None:
    path = mall.home / f"{day}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([HEADER, *rows]) + "\n")
    span = Span.of_day(date(2010, 12, day))
    delivered = datetime(2010, 12, 10 if bulk else day + 1, 1, tzinfo=UTC)
    manifest = ingest(mall, "canonical", [path], span, bulk=bulk, delivered_at=delivered)
    publish(mall, [manifest.delivery_id], gated=False)


def listed(mall: Settings, known_at: datetime | None = None) -> list[dict[str, Any]]:
    table = catalogue(mall, known_at)
    assert table.schema == CATALOGUE
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


def test_a_lake_without_deliveries_has_an_empty_catalogue(mall: Settings) -> None:
    assert listed(mall) == []


def test_the_latest_word_wins_column_by_column(mall: Settings) -> None:
    deliver(mall, 1, ["b,view,2010-12-01 08:00:00,RED MUG,,Acme,500", "a,view,2010-12-01 09:00:00,,,,"], bulk=True)
    deliver(mall, 2, ["b,view,2010-12-02 08:00:00,BLUE BOWL,Home > Bowls,,450"])
    deliver(mall, 3, ["b,view,2010-12-03 08:00:00,,,,"])
    a, b = listed(mall)
    assert (a["item_id"], a["title"], a["category"]) == ("a", None, "other")
    assert (b["title"], b["category"], b["brand"], b["price"]) == ("BLUE BOWL", "Bowls", "Acme", 450)
    assert b["first_seen"] == datetime(2010, 12, 1, 8, tzinfo=UTC)


def test_it_can_be_asked_as_it_was_known(mall: Settings) -> None:
    deliver(mall, 1, ["b,view,2010-12-01 08:00:00,RED MUG,,,", "c,view,2010-12-01 20:00:00,BOX,,,"], bulk=True)
    deliver(mall, 2, ["b,view,2010-12-02 08:00:00,BLUE BOWL,,,"])
    known = listed(mall, datetime(2010, 12, 1, 12, tzinfo=UTC))
    assert [(row["item_id"], row["title"]) for row in known] == [("b", "RED MUG")]
    assert len(listed(mall, datetime(2010, 12, 2, 12, tzinfo=UTC))) == 2
    assert listed(mall, datetime(2010, 12, 3, 2, tzinfo=UTC)) == listed(mall)
