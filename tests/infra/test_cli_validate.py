"""``penchant validate`` as a person types it: verdicts, data docs, exit codes."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.events.ingest import ingest
from features.events.publish import publish
from features.events.schema import EVENT
from infra.partitions import Span
from infra.settings import Settings
from validation.suites import EVENTS_VERSION

pytestmark = pytest.mark.thorough  # seconds in sum

Penchant = Callable[..., subprocess.CompletedProcess[str]]

FIRST, SECOND = date(2010, 12, 1), date(2010, 12, 2)


@pytest.fixture
def shop(tmp_path: Path, make_settings: Callable[..., Settings]) -> Settings:
    """A shop that has published two days, the second with purchases that lack their price; no server runs."""
    settings = make_settings(tmp_path / "home", clock="2011-01-10T00:00:00+00:00")
    settings.home.mkdir(parents=True)
    for day, price in ((FIRST, "5"), (SECOND, "")):
        path = settings.home / f"{day}.csv"
        path.write_text(f"item_id,event_type,occurred_at,price\ni,purchase,{day} 10:00:00,{price}\n")
        delivered = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
        taken = ingest(settings, "canonical", [path], Span.of_day(day), bulk=False, delivered_at=delivered)
        publish(settings, [taken.delivery_id], gated=False)
    return settings


@pytest.fixture
def penchant(shop: Settings, typed: Penchant) -> Penchant:
    return partial(typed, PENCHANT_HOME=str(shop.home), PENCHANT_CLOCK=shop.clock)


def test_days_are_judged_again_with_one_site_of_data_docs(penchant: Penchant, shop: Settings) -> None:
    done = penchant("validate", f"{FIRST}..2010-12-03", "--docs")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.rsplit(", ", 1)[1] for line in lines if line.startswith("canonical-")] == [
        "2010-12-01..2010-12-02: passed",
        "2010-12-02..2010-12-03: passed",
    ]
    assert [line.split() for line in lines if "price_present" in line] == [
        ["warning", "price_present:", "1", "of", "1", "rows"]
    ]
    page = Path(lines[-1].removeprefix("Data docs: "))
    assert page.parent.parent.parent == shop.lake.reports
    index = page.read_text()
    assert all(day.strftime(f"events-{EVENTS_VERSION}-canonical-%Y%m%d") in index for day in (FIRST, SECOND))
    # nothing but the site is written, and nothing of the published is changed
    assert not list(shop.lake.root.glob("staging/*"))


def test_a_broken_critical_rule_exits_with_1(penchant: Penchant, shop: Settings) -> None:
    [path] = shop.lake.events_day(FIRST).glob("*.parquet")
    table = pq.ParquetFile(path).read()
    place = EVENT.get_field_index("price")
    pq.write_table(table.set_column(place, EVENT.field("price"), pa.array([-1], pa.int64())), path)
    done = penchant("validate", str(FIRST), "--json")
    assert done.returncode == 1, done.stderr
    found = json.loads(done.stdout)
    assert found["docs"] is None
    [delivery] = found["deliveries"]
    assert (delivery["passed"], delivery["failed"]) == (False, ["price_negative"])
    shown = penchant("validate", str(FIRST))
    assert shown.returncode == 1
    assert shown.stdout.splitlines()[0].endswith("FAILED")
    assert "critical price_negative: 1 of 1 rows" in shown.stdout


@pytest.mark.parametrize(
    ("days", "said"),
    [
        ("yesterday", "'yesterday' is neither a day nor a span"),
        ("2010-12-01..", "neither a day nor a span"),
        ("2010-12-03..2010-12-01", "ends before it starts"),
        pytest.param(
            "2010-11-01..2010-11-05",
            "No delivery was published for 2010-11-01..2010-11-05",
            marks=pytest.mark.thorough,
        ),
    ],
)
def test_days_that_cannot_be_judged_exit_with_2(penchant: Penchant, days: str, said: str) -> None:
    done = penchant("validate", days)
    assert done.returncode == 2
    assert said in done.stderr
