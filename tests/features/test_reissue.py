"""A late row issues the days anew whose windows hold it, and no others."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from dags import steps
from features.events.ingest import ingest
from features.events.publish import publish
from infra.partitions import Span
from infra.settings import Settings

pytestmark = pytest.mark.thorough  # seconds in sum

FIRST = date(2010, 1, 1)
HISTORY = Span(FIRST, FIRST + timedelta(days=50))
NEXT = Span.of_day(HISTORY.end)
HEADER = "user_id,item_id,event_type,occurred_at\n"


def rows(span: Span) -> str:
    """Two users, each with one view a day."""
    return "".join(f"{user},i,view,{day} 10:00:00\n" for day in span.days() for user in ("ann", "bob"))


@pytest.fixture
def shop(tmp_path: Path, make_settings: Callable[..., Settings]) -> Settings:
    """A shop with fifty days built, whose windows are of one and seven days."""
    found = make_settings(
        tmp_path / "home", clock="2010-06-01T00:00:00+00:00", window_days=(1, 7), half_life_days=(7,), late_days=10
    )
    found.home.mkdir(parents=True)
    deliver(found, HISTORY, rows(HISTORY), bulk=True)
    assert steps.build(found, HISTORY)["reissued"] == []
    return found


def deliver(shop: Settings, span: Span, content: str, *, bulk: bool = False) -> None:
    path = shop.home / f"{span.start}.csv"
    path.write_text(HEADER + content)
    delivered = datetime(span.end.year, span.end.month, span.end.day, 1, tzinfo=UTC)
    manifest = ingest(shop, "canonical", [path], span, bulk=bulk, delivered_at=delivered)
    publish(shop, [manifest.delivery_id], gated=False)


def days(*offsets: int) -> list[str]:
    return [str(NEXT.start + timedelta(days=offset)) for offset in offsets]


def test_a_day_without_late_rows_issues_itself_alone(shop: Settings) -> None:
    deliver(shop, NEXT, rows(NEXT))
    built = steps.build(shop, NEXT)
    assert (built["start"], built["end"], built["reissued"]) == (str(NEXT.start), str(NEXT.end), [])


def test_a_late_row_issues_its_day_and_those_after_it(shop: Settings) -> None:
    deliver(shop, NEXT, rows(NEXT) + f"carl,j,view,{NEXT.start - timedelta(days=4)} 11:00:00\n")
    assert steps.build(shop, NEXT)["reissued"] == days(-4, -3, -2, -1)
    assert steps.build(shop, NEXT)["reissued"] == []


def test_days_beyond_every_window_stay_as_they_are(shop: Settings) -> None:
    """A day of long ago is delivered once more with a row of somebody who never came again."""
    old = Span.of_day(FIRST + timedelta(days=5))
    deliver(shop, old, rows(old) + f"carl,j,view,{old.start} 11:00:00\n")
    built = steps.build(shop, old)
    assert built["end"] == str(HISTORY.end)
    assert built["reissued"] == [str(old.start + timedelta(days=offset)) for offset in range(1, 35)]


def test_a_late_row_of_a_regular_changes_every_sequence_that_still_holds_it(shop: Settings) -> None:
    old = Span.of_day(FIRST + timedelta(days=5))
    deliver(shop, old, rows(old) + f"ann,j,view,{old.start} 11:00:00\n")
    built = steps.build(shop, old)
    assert built["reissued"] == [str(day) for day in Span(old.end, HISTORY.end).days()]


def test_a_redelivery_that_changes_nothing_issues_nothing(shop: Settings) -> None:
    path = shop.home / "again.csv"
    late = Span.of_day(HISTORY.end - timedelta(days=3))
    path.write_text(HEADER + rows(late))
    deliver(shop, NEXT, rows(NEXT) + rows(late))
    assert steps.build(shop, NEXT)["reissued"] == []
