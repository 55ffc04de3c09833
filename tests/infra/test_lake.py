from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from infra.lake import Lake, read_json, write_json, written_aside
from infra.partitions import Span

KILLED = """
import os, signal, sys
from pathlib import Path
from infra.lake import written_aside
with written_aside(Path(sys.argv[1])) as aside:
    aside.write_text("half of the new")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_every_path_is_below_the_root_and_is_only_named(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    day = date(2010, 1, 2)
    paths = [
        lake.landing_day("shop", day), lake.landing_history("shop"), lake.staging("d"), lake.events(day, "d"),
        lake.items("d"), lake.quarantine("d"), lake.manifest("d"), lake.partition(day), lake.daily("tiles", day),
        lake.merged(day, "0"), lake.feature("windows", day), lake.snapshot("s"), lake.evaluation("e"), lake.reports,
        lake.profile(Span.of_day(day)), lake.profile(Span(day, date(2010, 1, 4))),
    ]  # fmt: skip
    assert all(path.is_relative_to(lake.root) for path in paths)
    assert len(set(paths)) == len(paths)
    assert not lake.root.exists()


def test_closed_days_are_in_order(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    assert lake.closed_days() == []
    for day in (date(2010, 1, 3), date(2009, 12, 31)):
        write_json(lake.partition(day), {})
    assert lake.closed_days() == [date(2009, 12, 31), date(2010, 1, 3)]


def test_days_with_events_are_in_order_closed_or_not(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    assert lake.days_with_events() == []
    for day in (date(2010, 1, 3), date(2009, 12, 31)):
        lake.events_day(day).mkdir(parents=True)
    assert lake.days_with_events() == [date(2009, 12, 31), date(2010, 1, 3)]


@pytest.mark.parametrize("former", [None, "the old"])
def test_a_write_that_is_killed_leaves_what_was_there(tmp_path: Path, former: str | None) -> None:
    path = tmp_path / "file"
    if former:
        path.write_text(former)
    done = subprocess.run([sys.executable, "-c", KILLED, path], check=False)
    assert done.returncode == -signal.SIGKILL
    assert path.exists() == bool(former)
    assert not former or path.read_text() == former
    assert [one.name for one in tmp_path.iterdir() if not one.name.startswith(".")] == ([path.name] if former else [])


def test_a_write_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), written_aside(tmp_path / "deep" / "file") as aside:
        aside.with_name("no such folder").joinpath("file").write_text("", encoding="utf-8")
    assert list((tmp_path / "deep").iterdir()) == []


def test_a_folder_is_replaced_whole(tmp_path: Path) -> None:
    folder = tmp_path / "snapshot"
    for content in ("one", "two"):
        with written_aside(folder) as aside:
            aside.mkdir()
            (aside / content).touch()
    assert [path.name for path in folder.iterdir()] == ["two"]
    assert os.listdir(tmp_path) == ["snapshot"]  # noqa: PTH208 (the dotted names too)


def test_equal_content_gives_equal_bytes(tmp_path: Path) -> None:
    write_json(tmp_path / "a", {"x": 1, "day": date(2010, 1, 1)})
    write_json(tmp_path / "b", {"day": date(2010, 1, 1), "x": 1})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert read_json(tmp_path / "a") == {"x": 1, "day": "2010-01-01"}
