"""A day whose delivery was published, and one run of retention at a moment of the shop."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest

from features.events.arrivals import take_day
from features.events.keeping.retention import Retired, retire
from features.events.manifest import Manifest
from features.events.publish import publish
from infra.lake import write_json
from infra.settings import Settings

SOURCE = "online-retail"
DAY = date(2010, 12, 1)


@pytest.fixture
def landed(shop: Settings, write: Any, line: Any) -> Manifest:
    """A published day whose delivery has two files, one refused row, and says when it came."""
    folder = shop.lake.landing_day(SOURCE, DAY)
    write("a.csv", [line(), line(Price="0")], folder)
    write("b.csv", [line(Invoice="2")], folder)
    write_json(folder / "_delivery.json", {"delivered_at": "2010-12-02T00:00:00+00:00"})
    [manifest] = take_day(shop, SOURCE, DAY)
    publish(shop, [manifest.delivery_id], gated=False)
    return manifest


@pytest.fixture(scope="session")
def run() -> Callable[..., Retired]:
    """Retention, a year and a day after the sample day unless told otherwise."""

    def once(shop: Settings, at: str = "2011-12-02T00:00:01+00:00", **more: Any) -> Retired:
        return retire(shop, datetime.fromisoformat(at), datetime.now(UTC), **more)

    return once


@pytest.fixture(scope="session")
def dead() -> Callable[[], int]:
    """The number of a process that is no more."""

    def ended() -> int:
        with subprocess.Popen([sys.executable, "-c", ""]) as process:
            pass
        return process.pid

    return ended
