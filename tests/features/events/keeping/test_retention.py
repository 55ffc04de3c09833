"""What had its time goes, what is needed stays, and a day that is run again is what it was."""

from __future__ import annotations

import shutil
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from features.events.arrivals import take_day, take_history
from features.events.keeping.compaction import compact
from features.events.keeping.removal import Removed
from features.events.keeping.retention import MADE_MARKER
from features.events.manifest import Manifest, read_published
from features.events.publish import publish
from features.events.staging import REFUSED
from infra.errors import DeliveryError
from infra.lake import write_json
from infra.partitions import Span
from infra.settings import Settings

pytestmark = pytest.mark.thorough  # seconds in sum

FIRST, SECOND = date(2010, 12, 1), date(2010, 12, 2)
DAY = Span.of_day(FIRST)
SOURCE = "online-retail"
UNPUBLISHED = "x-20101201-0123456789abcdef"
NONE = Removed()


def published(shop: Settings, day: date = FIRST) -> Manifest:
    [manifest] = take_day(shop, SOURCE, day)
    publish(shop, [manifest.delivery_id], gated=False)
    return manifest


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_raw_files_of_a_published_delivery_go_and_the_markers_stay(shop: Settings, landed: Manifest, run: Any) -> None:
    folder = shop.lake.landing_day(SOURCE, FIRST)
    weight = sum(file.bytes for file in landed.files)
    assert run(shop, "2011-12-02T00:00:00+00:00").landing == NONE
    assert run(shop, dry_run=True).landing == Removed(2, weight)
    assert names(folder) == ["_delivery.json", "a.csv", "b.csv"]
    assert run(shop).landing == Removed(2, weight)
    assert names(folder) == ["_delivery.json", "_published.json"]
    assert read_published(shop.lake, landed.delivery_id).files == landed.files
    assert run(shop).landing == NONE


def test_a_day_whose_files_had_their_time_is_given_again_as_it_was_published(
    shop: Settings, landed: Manifest, contents: Any, run: Any
) -> None:
    run(shop)
    before = contents(shop.lake.root)
    assert published(shop) == landed
    assert contents(shop.lake.root) == before


def test_files_that_are_put_back_are_taken_anew(
    shop: Settings, landed: Manifest, write: Any, line: Any, run: Any
) -> None:
    run(shop)
    folder = shop.lake.landing_day(SOURCE, FIRST)
    write("a.csv", [line(), line(Price="0")], folder)
    write("b.csv", [line(Invoice="2")], folder)
    [manifest] = take_day(shop, SOURCE, FIRST)
    assert manifest == landed
    assert shop.lake.staging(landed.delivery_id).exists()


def test_other_files_in_the_folder_of_a_day_are_a_delivery_of_their_own(
    shop: Settings, landed: Manifest, write: Any, line: Any, run: Any
) -> None:
    run(shop)
    write("c.csv", [line(Invoice="2"), line(Invoice="3")], shop.lake.landing_day(SOURCE, FIRST))
    more = published(shop)
    assert (more.accepted, more.duplicate) == (1, 1)


def test_files_that_were_not_taken_yet_stay(shop: Settings, landed: Manifest, write: Any, line: Any, run: Any) -> None:
    """A file beside them makes another delivery of the folder, one of another day was never taken for that day."""
    write("c.csv", [line(Invoice="3")], shop.lake.landing_day(SOURCE, FIRST))
    for name in ("a.csv", "b.csv"):
        copy = shop.lake.landing_day(SOURCE, SECOND) / name
        copy.parent.mkdir(exist_ok=True)
        copy.write_bytes((shop.lake.landing_day(SOURCE, FIRST) / name).read_bytes())
    assert run(shop).landing == NONE


def test_files_of_equal_size_and_other_content_stay(shop: Settings, landed: Manifest, run: Any) -> None:
    path = shop.lake.landing_day(SOURCE, FIRST) / "b.csv"
    path.write_bytes(path.read_bytes()[::-1])
    assert run(shop).landing == NONE


@pytest.mark.parametrize("missing", ["manifest", "partition"])
def test_files_whose_publishing_did_not_come_to_its_end_stay(
    shop: Settings, landed: Manifest, missing: str, run: Any
) -> None:
    {"manifest": shop.lake.manifest(landed.delivery_id), "partition": shop.lake.partition(FIRST)}[missing].unlink()
    assert run(shop).landing == NONE


def test_the_marker_of_a_day_without_rows_stays(shop: Settings, run: Any) -> None:
    folder = shop.lake.landing_day(SOURCE, FIRST)
    folder.mkdir(parents=True)
    (folder / "_CLOSED").touch()
    before = published(shop)
    assert run(shop, "2031-01-01T00:00:00+00:00").landing == NONE
    assert names(folder) == ["_CLOSED"]
    assert published(shop) == before


def test_a_history_goes_too_and_is_given_again_for_its_own_days_alone(
    shop: Settings, write: Any, line: Any, run: Any
) -> None:
    folder = shop.lake.landing_history(SOURCE)
    write("all.csv", [line()], folder)
    span = Span(FIRST, date(2010, 12, 4))
    manifest = take_history(shop, SOURCE, span)
    publish(shop, [manifest.delivery_id], gated=False)
    assert run(shop, "2012-01-01T00:00:00+00:00").landing.files == 1
    assert names(folder) == ["_published.json"]
    assert take_history(shop, SOURCE, span) == read_published(shop.lake, manifest.delivery_id)
    with pytest.raises(DeliveryError, match=r"removed .* published for 2010-12-01\.\.2010-12-04, and are wanted for"):
        take_history(shop, SOURCE, DAY)


def test_a_run_removes_so_much_and_the_next_one_the_rest(
    shop: Settings, landed: Manifest, write: Any, line: Any, run: Any
) -> None:
    write("a.csv", [line(InvoiceDate="2010-12-02 09:00:00")], shop.lake.landing_day(SOURCE, SECOND))
    published(shop, SECOND)
    little = shop.model_copy(update={"removals_a_run": 1})
    done = [run(little, "2012-01-01T00:00:00+00:00").landing for _ in range(3)]
    assert [(one.files, one.waiting) for one in done] == [(2, 1), (1, 0), (0, 0)]


def test_nothing_goes_whose_lifetime_is_for_ever(
    shop: Settings, landed: Manifest, contents: Any, age: Any, run: Any
) -> None:
    (shop.lake.reports / "gate" / "x").mkdir(parents=True)
    age(shop.lake.reports, hours=1e5)
    kinds = ("landing", "quarantine", "reports", "inbox")
    before = contents(shop.lake.root)
    run(shop.model_copy(update={f"keep_{kind}_days": 0 for kind in kinds}), "2090-01-01T00:00:00+00:00")
    assert contents(shop.lake.root) == before
    assert (shop.lake.reports / "gate" / "x").exists()


def test_refused_rows_go_and_their_table_stays(shop: Settings, landed: Manifest, run: Any) -> None:
    path = shop.lake.quarantine(landed.delivery_id)
    weight = path.stat().st_size
    assert run(shop, "2011-12-02T00:00:00+00:00").quarantine == NONE
    assert run(shop, dry_run=True).quarantine == Removed(1, weight)
    assert pq.read_metadata(path).num_rows == 1
    assert run(shop).quarantine == Removed(1, weight)
    assert pq.ParquetFile(path).read().equals(REFUSED.empty_table())
    assert read_published(shop.lake, landed.delivery_id).quarantined == 1
    assert run(shop).quarantine == NONE


def test_reports_go_by_the_moment_at_which_they_were_made(shop: Settings, run: Any) -> None:
    report = shop.lake.reports / "gate" / "x"
    write_json(report / MADE_MARKER, {"made_at": "2010-12-01T00:00:00+00:00"})
    (report / "index.html").write_text("broken")
    assert run(shop, "2011-03-01T00:00:00+00:00").reports == NONE
    assert run(shop, "2011-03-01T00:00:01+00:00", dry_run=True).reports.files == 1
    assert run(shop, "2011-03-01T00:00:01+00:00").reports.bytes > 6
    assert names(shop.lake.reports / "gate") == []


def test_a_report_that_does_not_say_when_it_was_made_goes_by_file_time(shop: Settings, age: Any, run: Any) -> None:
    report = shop.lake.reports / "gate" / "x"
    report.mkdir(parents=True)
    age(report, hours=24 * 89)
    assert run(shop).reports == NONE
    age(report, hours=24 * 91)
    assert run(shop).reports == Removed(1, 0)


def test_retention_that_is_killed_anywhere_goes_on_the_next_time(
    shop: Settings,
    landed: Manifest,
    take: Any,
    write: Any,
    line: Any,
    read: Any,
    age: Any,
    kill_everywhere: Any,
    run: Any,
    dead: Any,
) -> None:
    take(write("more.csv", [line(Invoice="7")]))
    compact(shop, datetime(2010, 12, 10, 1, tzinfo=UTC))
    for pid in (dead(), dead()):
        path = shop.lake.staging(f".x.{pid}") / "dt=2010-12-01.parquet"
        path.parent.mkdir(parents=True)
        path.touch()
    for folder in (shop.lake.staging(UNPUBLISHED), shop.lake.reports / "gate" / "x"):
        folder.mkdir(parents=True)
        (folder / "manifest.json").touch()
    age(shop.lake.root, hours=24 * 100)
    rows = read()

    def whole() -> None:
        assert read() == rows
        assert pq.ParquetFile(shop.lake.quarantine(landed.delivery_id)).schema_arrow == REFUSED
        [manifest] = take_day(shop, SOURCE, FIRST)
        assert manifest == landed
        age(shop.lake.stagings, hours=24 * 100)

    def work() -> None:
        # as the process of a later run, for which the killed one is dead
        run(shop)
        run(shop)

    assert kill_everywhere(work, whole) > 10


def test_folders_that_somebody_copied_are_passed_over(shop: Settings, landed: Manifest, run: Any) -> None:
    for folder in (shop.lake.landing_day(SOURCE, FIRST), shop.lake.events_day(FIRST)):
        shutil.copytree(folder, folder.with_name(f"{folder.name}.bak"))
    assert run(shop).landing.files == 2
    assert len(names(shop.lake.landing_day(SOURCE, FIRST).with_name("dt=2010-12-01.bak"))) == 3
