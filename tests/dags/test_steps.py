"""The steps as the command line calls them: what they need, and what they can do without."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from pathlib import Path
from threading import Barrier

import pytest
from pydantic import SecretStr
from sqlalchemy import select

from dags import steps
from features.events.arrivals import take_day
from features.events.by_hand import take_files
from features.events.ingest import ingest
from features.events.manifest import read_published
from infra.database import engine, server_url
from infra.lake import read_json
from infra.partitions import Span
from infra.settings import PROJECT, Settings
from infra.tables import gate_results

pytestmark = pytest.mark.thorough  # seconds in sum

DAY = date(2010, 12, 1)
SPAN = Span.of_day(DAY)
PUBLISH = """
import sys
from datetime import date
from dags import steps
from infra.lake import read_json
from infra.partitions import Span
from infra.settings import load_settings

steps.publish(load_settings(), sys.argv[1:], Span.of_day(date(2010, 12, 1)))
print("great_expectations" in sys.modules)
"""


@pytest.fixture
def shop(tmp_path: Path, make_settings: Callable[..., Settings]) -> Settings:
    """A shop whose servers do not run."""
    return make_settings(tmp_path / "home", clock="2011-01-10T00:00:00+00:00")


def checked(shop: Settings, name: str = "day.csv") -> list[str]:
    """Stage one event and let the gate see it."""
    path = shop.home / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"item_id,event_type,occurred_at,price\n{name},purchase,2010-12-01 10:00:00,5\n")
    delivered = datetime(2010, 12, 2, tzinfo=UTC)
    taken = ingest(shop, "canonical", [path], SPAN, bulk=False, delivered_at=delivered)
    return steps.check(shop, [taken.delivery_id], SPAN)


def test_a_day_is_published_while_postgresql_is_down(shop: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    assert steps.publish(shop, checked(shop), SPAN)["days"] == 1
    assert shop.lake.partition(DAY).exists()
    said = [line for line in capsys.readouterr().out.splitlines() if "PostgreSQL" in line]
    assert len(said) == 1
    assert said[0].startswith("The gate's results are not in PostgreSQL yet, only in the manifests: ")


def test_publishing_does_not_load_great_expectations(shop: Settings) -> None:
    """Recording what the gate found takes its verdict, not the gate."""
    deliveries = checked(shop)
    environment = {**os.environ, "PENCHANT_HOME": str(shop.home), "PENCHANT_CLOCK": shop.clock}
    done = subprocess.run(
        [sys.executable, "-c", PUBLISH, *deliveries],
        env=environment,
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.splitlines()[-1:] == ["False"], done.stderr


@pytest.mark.integration
def test_the_next_publishing_catches_up(
    shop: Settings, services: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    [first] = checked(shop)
    steps.publish(shop, [first], SPAN)
    address = SecretStr(server_url(services).render_as_string(hide_password=False))
    connected = shop.model_copy(update={"postgres_url": address})
    [second] = checked(connected, "more.csv")
    capsys.readouterr()
    steps.publish(connected, [second], SPAN)
    assert "PostgreSQL" not in capsys.readouterr().out
    database = engine(services)
    with database.connect() as connection:
        known = set(connection.scalars(select(gate_results.c.delivery_id)))
    database.dispose()
    assert {first, second} <= known


def test_of_two_deliveries_of_a_day_at_once_one_waits_and_sees_the_other(shop: Settings) -> None:
    """Both are staged before either is published, and half of their rows are the same."""
    folder = shop.lake.landing_day("canonical", DAY)
    folder.mkdir(parents=True)
    rows = [f"i{number},view,2010-12-01 10:00:0{number}" for number in range(6)]
    landed, named = folder / "landed.csv", shop.home / "named.csv"
    landed.write_text("\n".join(["item_id,event_type,occurred_at", *rows[:4]]))
    named.write_text("\n".join(["item_id,event_type,occurred_at", *rows[2:]]))
    canonical = shop.model_copy(update={"source": "canonical"})
    barrier = Barrier(2)

    def by_hand() -> list[str]:
        return [take_files(canonical, [str(named)], span=SPAN, bulk=False).delivery_id]

    def from_landing() -> list[str]:
        return [manifest.delivery_id for manifest in take_day(canonical, "canonical", DAY)]

    def deliver(stage: Callable[[], list[str]]) -> str:
        deliveries = steps.check(canonical, stage(), SPAN)
        barrier.wait(60)
        [delivery] = steps.publish(canonical, deliveries, SPAN, stage)["deliveries"]
        return str(delivery)

    with ThreadPoolExecutor(2) as both:
        taken = [read_published(shop.lake, delivery) for delivery in both.map(deliver, (by_hand, from_landing))]
    assert sorted((manifest.accepted, manifest.duplicate) for manifest in taken) == [(2, 2), (4, 0)]
    assert read_json(shop.lake.partition(DAY))["rows"] == 6
