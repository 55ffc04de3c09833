"""What a kill left, and files that were replaced, go after a day; what is needed or not ours stays."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from features.events.keeping.compaction import compact
from features.events.keeping.removal import Removed
from features.events.keeping.retention import retire
from features.events.log import event_files
from features.events.manifest import Manifest
from infra.lake import Lake, read_json, write_json
from infra.partitions import Span
from infra.settings import Settings

pytestmark = pytest.mark.thorough  # seconds in sum

FIRST, SECOND = date(2010, 12, 1), date(2010, 12, 2)
DAY = Span.of_day(FIRST)
SOURCE = "online-retail"
UNPUBLISHED = "x-20101201-0123456789abcdef"
NONE = Removed()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


#: What a process of that number left: a file, or a folder with one.
LEFT: dict[str, Callable[[Lake, int], tuple[Path, str]]] = {
    "staged aside": lambda lake, pid: (lake.staging(f".{UNPUBLISHED}.{pid}"), "dt=2010-12-01.parquet"),
    "staged": lambda lake, _: (lake.staging(UNPUBLISHED), "manifest.json"),
    "spilled": lambda lake, pid: (lake.spill / f"{pid}.tmpx", "scratch.duckdb"),
    "spilled by nobody": lambda lake, _: (lake.spill / "tmpx", "scratch.duckdb"),
    "events aside": lambda lake, pid: (lake.events_day(FIRST) / f".x.parquet.{pid}", ""),
    "partition aside": lambda lake, pid: (lake.partition(FIRST).with_name(f".2010-12-01.json.{pid}"), ""),
    "inbox aside": lambda lake, pid: (lake.landing_day("inbox", FIRST) / f".inbox.jsonl.{pid}", ""),
    "items": lambda lake, _: (lake.items(UNPUBLISHED), ""),
    "quarantine": lambda lake, _: (lake.quarantine(UNPUBLISHED), ""),
}


@pytest.mark.parametrize("what", LEFT)
def test_what_a_kill_left_goes_after_a_day(
    shop: Settings, landed: Manifest, age: Any, what: str, run: Any, dead: Any
) -> None:
    left, inside = LEFT[what](shop.lake, dead())
    (left / inside).parent.mkdir(parents=True, exist_ok=True)
    (left / inside).write_text("left")
    age(left, hours=23)
    assert run(shop).leftovers == NONE
    age(left)
    assert run(shop, dry_run=True).leftovers == Removed(1, 4)
    assert left.exists()
    assert run(shop).leftovers == Removed(1, 4)
    assert not left.exists()


@pytest.mark.parametrize("name", ["staging/.x.{}", "spill/{}.tmp"])
def test_what_a_living_process_works_on_stays(shop: Settings, age: Any, name: str) -> None:
    """Though its last write was long ago; but not if the number has gone to another process since."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        path = shop.lake.root / name.format(process.pid)
        path.mkdir(parents=True)
        age(path, hours=-1)
        then = datetime.now(UTC)
        later = datetime.fromtimestamp(then.timestamp() + 48 * 3600, UTC)
        assert retire(shop, then, later).leftovers == NONE
        age(path, hours=25)
        assert retire(shop, then, later).leftovers == Removed(1, 0)
        process.communicate(b"\n")


def test_what_others_lay_into_the_lake_is_not_taken_for_a_leftover(shop: Settings, age: Any, run: Any) -> None:
    mine = [shop.lake.items("mine"), shop.lake.landing_day(SOURCE, FIRST) / ".hidden.csv", shop.lake.root / ".gitkeep"]
    for path in mine:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    age(shop.lake.root, hours=1e4)
    assert run(shop).leftovers == NONE


def test_replaced_files_go_a_day_after_the_partition_let_go_of_them(
    shop: Settings, landed: Manifest, take: Any, write: Any, line: Any, age: Any, run: Any
) -> None:
    take(write("more.csv", [line(Invoice="7"), line(Invoice="8", InvoiceDate="2010-12-02 00:01:00")]))
    before = event_files(shop.lake, DAY)
    age(shop.lake.root)
    compact(shop, datetime(2010, 12, 10, 1, tzinfo=UTC))
    [merged] = event_files(shop.lake, DAY)
    assert run(shop).replaced == NONE
    age(shop.lake.partition(FIRST), hours=23)
    assert run(shop).replaced == NONE
    age(shop.lake.partition(FIRST))
    weight = sum(path.stat().st_size for path in before)
    assert run(shop, dry_run=True).replaced == Removed(2, weight)
    assert run(shop).replaced == Removed(2, weight)
    assert names(shop.lake.events_day(FIRST)) == [merged.name]
    # early rows of a day that is not closed are no leftover
    assert len(names(shop.lake.events_day(SECOND))) == 1


def test_events_without_a_manifest_go_unless_they_are_still_staged(
    shop: Settings, take: Any, write: Any, line: Any, age: Any, run: Any
) -> None:
    manifest = take(write("a.csv", [line()]))
    shop.lake.manifest(manifest.delivery_id).unlink()
    shop.lake.partition(FIRST).unlink()
    staged = shop.lake.staging(manifest.delivery_id)
    staged.mkdir()
    age(shop.lake.events_day(FIRST))
    assert run(shop).replaced == NONE
    staged.rmdir()
    assert run(shop).replaced.files == 1
    assert names(shop.lake.events_day(FIRST)) == []


def test_events_that_no_partition_counts_yet_stay(shop: Settings, landed: Manifest, age: Any, run: Any) -> None:
    """Killed between the manifest and the partition: the next closing of the day counts them."""
    partition = read_json(shop.lake.partition(FIRST))
    write_json(shop.lake.partition(FIRST), {**partition, "deliveries": [], "files": []})
    age(shop.lake.root)
    assert run(shop).replaced == NONE
