"""A disk that fills up while DuckDB spills, and while rows are written: words that help, and the lake as it was."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.build import build
from infra.lake import DAILY
from infra.partitions import Span
from infra.settings import PROJECT, Settings

pytestmark = pytest.mark.thorough

START = date(2012, 2, 28)
SPAN = Span(START, START + timedelta(days=2))
EVENTS, IDS = 20_000, 5_000
BUILDS = [sys.executable, str(Path(__file__).with_name("build_in_little_room.py"))]
#: A file system of its own for this process alone, on which the lake is.
MOUNTED = 'mount -t tmpfs -o size="$1" none "$2" && cp -r "$3/." "$2" && shift 3 && exec "$@"'


@pytest.fixture(scope="module")
def shop(tmp_path_factory: Any, make_settings: Callable[..., Settings], shop_of: Any, event_of: Any) -> Any:
    """Two days of which the first is built, with more rows than a little memory holds."""
    settings = make_settings(
        tmp_path_factory.mktemp("shop"), window_days=(1, 3), half_life_days=(7,), sequence_length=5
    )
    made, drawn = shop_of(settings), np.random.default_rng(1)
    made.items({"i1": "mug"})
    numbers = drawn.integers(0, IDS, (len(SPAN), EVENTS, 2)).tolist()
    events = [
        event_of(settings, day, place, event_id=f"{day}-{place}", user_id=f"u{user}", item_id=f"i{item}")
        for day, of_day in zip(SPAN.days(), numbers, strict=True)
        for place, (user, item) in enumerate(of_day)
    ]
    made.publish(SPAN, events)
    build(settings, Span.of_day(START))
    return made


def said_of(command: list[str]) -> tuple[str, str]:
    """The error of a build that failed, and left the lake as it was."""
    run = subprocess.run(
        command, capture_output=True, text=True, check=True, cwd=PROJECT, env={**os.environ, "PYTHONPATH": str(PROJECT)}
    )
    found = json.loads(run.stdout.splitlines()[-1])
    assert found["same"], found
    kind, said = found["said"]
    return kind, said


def asked(home: Path, memory: str, largest: int) -> list[str]:
    return [*BUILDS, str(home), str(START + timedelta(days=1)), str(SPAN.end), memory, str(largest)]


@pytest.mark.parametrize(
    ("memory", "largest", "where"),
    [("60MB", 1_000_000, "/spill/"), ("1GB", 50_000, "Error writing bytes to file")],
    ids=["spilling", "writing"],
)
def test_what_does_not_fit_is_said_and_nothing_is_written(shop: Any, memory: str, largest: int, where: str) -> None:
    """No file may grow longer than that: what it is written to is full then."""
    kind, said = said_of(asked(shop.settings.home, memory, largest))
    assert kind == "MachineError"
    assert f"The lake at {shop.lake.root} cannot be written: " in said
    assert where in said
    assert "File too large. Make room on its disk" in said


@pytest.mark.parametrize(("memory", "more"), [("60MB", 2_000_000), ("1GB", 200_000)], ids=["spilling", "writing"])
def test_a_file_system_that_is_full_is_said(shop: Any, tmp_path: Path, memory: str, more: int) -> None:
    mounted = ["unshare", "-rm", "sh", "-c", MOUNTED, "sh"]
    probe = [*mounted, "1m", str(tmp_path), str(Path(__file__).parent / "store"), "true"]
    if not shutil.which("unshare") or subprocess.run(probe, check=False, capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount a file system of their own")
    room = str(more + sum(-(-path.stat().st_size // 4096) * 4096 for path in shop.settings.home.rglob("*")))
    kind, said = said_of([*mounted, room, str(tmp_path), str(shop.settings.home), *asked(tmp_path, memory, 0)])
    assert kind == "MachineError"
    assert f"The lake at {tmp_path}/lake cannot be written: " in said
    assert "Make room on its disk" in said


def test_with_room_again_the_days_are_built_as_if_nothing_had_happened(
    shop: Any, tmp_path: Path, make_settings: Callable[..., Settings], shop_of: Any
) -> None:
    settings = shop.settings.model_copy(update={"home": tmp_path})
    other, last = shop_of(settings), Span.of_day(START + timedelta(days=1))
    shutil.copytree(shop.lake.root, settings.lake.root)
    build(settings, last)
    said_of(asked(shop.settings.home, "1GB", 50_000))
    build(shop.settings, last)
    assert shop.bytes_of(*DAILY, "features", "checkpoints") == other.bytes_of(*DAILY, "features", "checkpoints")
