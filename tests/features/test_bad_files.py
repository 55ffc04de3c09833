"""Files of the lake that are cut off, gone or of another layout: words that help, nothing written, and a way on."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features import chain
from features.build import build
from features.days import due
from infra.errors import FeatureError, LakeError
from infra.lake import DAILY, Lake
from infra.partitions import Span
from infra.settings import Settings

pytestmark = pytest.mark.thorough  # seconds in sum

START = date(2012, 2, 27)
SPAN = Span(START, START + timedelta(days=4))
SECOND, LAST = START + timedelta(days=1), START + timedelta(days=3)
BUILT = (*DAILY, "features", "checkpoints", "built")
Damage = Callable[[Path], None]
Of = Callable[[Lake], Path]


LENGTHS = {"window_days": (1, 3), "half_life_days": (7,)}


@pytest.fixture(scope="module")
def built(tmp_path_factory: Any, make_settings: Callable[..., Settings], shop_of: Any, event_of: Any) -> Path:
    """The lake of four days, built."""
    settings = make_settings(tmp_path_factory.mktemp("built"), **LENGTHS)
    made = shop_of(settings)
    made.items({"i1": "mug", "i2": "lamp"})
    events = [
        event_of(settings, day, number, event_id=f"{day}-{number}", user_id=f"u{number}", item_id=f"i{number}")
        for day in SPAN.days()
        for number in (1, 2)
    ]
    made.publish(SPAN, events)
    build(settings, Span(START, LAST))
    build(settings, Span.of_day(LAST))
    return made.lake.root


@pytest.fixture
def shop(built: Path, tmp_path: Path, make_settings: Callable[..., Settings], shop_of: Any) -> Any:
    """Four days, built, that a test may damage."""
    found = shop_of(make_settings(tmp_path / "home", **LENGTHS))
    shutil.copytree(built, found.lake.root)
    return found


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def damaged_within(path: Path) -> None:
    """The end of the file, which says where everything is, is whole; what it points to is not."""
    content = bytearray(path.read_bytes())
    content[4:100] = b"\xff" * 96
    path.write_bytes(bytes(content))


def without(column: str) -> Damage:
    return lambda path: pq.write_table(pq.read_table(path).drop_columns([column]), path)


def retyped(column: str, kind: pa.DataType) -> Damage:
    def make(path: Path) -> None:
        table = pq.read_table(path)
        place = table.column_names.index(column)
        pq.write_table(table.set_column(place, column, pa.nulls(len(table), kind)), path)

    return make


def events(lake: Lake) -> Path:
    return lake.events(LAST, "d1")


def tiles(lake: Lake) -> Path:
    return lake.daily("tiles", SECOND)


def row(lake: Lake) -> Path:
    return lake.feature("user_items", SECOND)


def items(lake: Lake) -> Path:
    return lake.items("items")


DELIVERED = "Bring it back from a copy, or ingest its delivery again"
DAMAGES = [
    (events, cut, rf"d1\.parquet is not whole: .*{DELIVERED}"),
    (events, emptied, rf"d1\.parquet is not whole: .*{DELIVERED}"),
    (events, Path.unlink, rf"d1\.parquet is gone\. {DELIVERED}"),
    (events, damaged_within, r"Files of the lake at .* cannot be read: .*Bring the file that it names back"),
    (events, without("dwell_ms"), rf"d1\.parquet has no column dwell_ms\. {DELIVERED}"),
    (events, retyped("user_id", pa.int64()), r"d1\.parquet: user_id is int64, not string"),
    (lambda lake: lake.partition(LAST), cut, rf"{LAST}\.json is not whole: .*Bring it back"),
    (items, cut, rf"items\.parquet is not whole: .*{DELIVERED}"),
    (items, Path.unlink, r"items\.parquet is gone"),
    (items, without("category_path"), r"items\.parquet has no column category_path"),
    (lambda lake: lake.manifest("items"), cut, r"items\.json is not whole"),
    (tiles, cut, rf"tiles/dt={SECOND}\.parquet is not whole: .*Delete it: the next build makes its day again"),
    (tiles, without("count"), r"has no column count\. It was made by other definitions: build its days again"),
    (row, cut, rf"user_items/dt={SECOND}\.parquet is not whole: .*Delete it"),
    (row, without("history_times"), r"has no column history_times\. It was made by other definitions"),
    (row, retyped("history_last_us", pa.string()), r"history_last_us is string, not list<.*int64>"),
]


@pytest.mark.parametrize(("of", "damage", "said"), DAMAGES)
def test_what_cannot_be_read_is_named_and_nothing_is_written(shop: Any, of: Of, damage: Damage, said: str) -> None:
    """Whoever brings the file back builds what would have been built."""
    path, settings = of(shop.lake), shop.settings
    clean, whole = shop.bytes_of(*BUILT), path.read_bytes()
    damage(path)
    before = shop.bytes_of(*BUILT)
    with pytest.raises(LakeError, match=said):
        build(settings, Span.of_day(LAST))
    assert shop.bytes_of(*BUILT) == before
    assert not list(shop.lake.spill.iterdir())
    path.write_bytes(whole)
    build(settings, Span.of_day(LAST))
    assert shop.bytes_of(*BUILT) == clean


@pytest.mark.parametrize("of", [tiles, row])
@pytest.mark.parametrize("gone", [False, True])
def test_what_was_built_is_made_again_once_it_is_deleted(shop: Any, of: Of, gone: bool) -> None:
    """As the message says; also where nobody noticed."""
    settings, last = shop.settings, Span.of_day(LAST)
    clean = shop.bytes_of(*BUILT)
    cut(of(shop.lake))
    if not gone:
        with pytest.raises(LakeError):
            build(settings, last)
    of(shop.lake).unlink()
    with pytest.raises(FeatureError, match=f"those from {SECOND} to {LAST - timedelta(days=1)} are not built"):
        build(settings, last)
    assert due(settings, last) == Span(SECOND, SPAN.end)
    build(settings, due(settings, last), only_new=True)
    assert without_interest(shop.bytes_of(*BUILT)) == without_interest(clean)


def without_interest(found: dict[str, bytes]) -> dict[str, bytes]:
    """Its last bits depend on where a span begins."""
    return {name: content for name, content in found.items() if "interest" not in name}


def test_a_checkpoint_can_be_deleted(shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain, "CHECKPOINT_DAYS", 1)
    build(shop.settings, Span(SECOND, LAST))
    [saved] = shop.lake.checkpoint_folder("user_items").iterdir()
    build(shop.settings, Span.of_day(LAST))
    clean = shop.bytes_of(*DAILY, "features")
    cut(saved)
    before = shop.bytes_of(*BUILT)
    with pytest.raises(LakeError, match=rf"checkpoints/user_items/{saved.name} is not whole: .*Delete it: the states"):
        build(shop.settings, Span.of_day(LAST))
    assert shop.bytes_of(*BUILT) == before
    saved.unlink()
    build(shop.settings, Span.of_day(LAST))
    assert shop.bytes_of(*DAILY, "features") == clean


def test_a_note_of_what_was_built_can_be_deleted(shop: Any) -> None:
    note = shop.lake.built(SECOND)
    clean = note.read_bytes()
    cut(note)
    with pytest.raises(LakeError, match=rf"built/{SECOND}\.json is not whole: .*one in built/ may be deleted"):
        due(shop.settings, Span.of_day(LAST))
    note.unlink()
    build(shop.settings, due(shop.settings, Span.of_day(LAST)))
    assert note.read_bytes() == clean


@pytest.mark.parametrize("of", [events, tiles, row, items])
def test_a_column_more_does_not_matter(shop: Any, of: Of) -> None:
    clean = shop.bytes_of("features")
    table = pq.read_table(of(shop.lake))
    pq.write_table(table.append_column("more", pa.array(range(len(table)))), of(shop.lake))
    build(shop.settings, Span.of_day(LAST))
    assert shop.rows("user_items", Span.of_day(LAST))[LAST]
    changed = {name for name, content in shop.bytes_of("features").items() if content != clean[name]}
    assert changed <= {str(of(shop.lake).relative_to(shop.lake.root))}


def test_days_before_the_history_cannot_be_built(shop: Any) -> None:
    before = shop.bytes_of(*BUILT)
    for span in (Span(date(1990, 1, 1), date(1990, 1, 2)), Span(START - timedelta(days=1), SPAN.end)):
        with pytest.raises(FeatureError, match=rf"Features of {span} cannot be built: .*{span.start} is not closed"):
            build(shop.settings, span)
    assert shop.bytes_of(*BUILT) == before


def test_no_days_at_all_are_built_at_once(shop: Any) -> None:
    before = shop.bytes_of(*BUILT)
    assert build(shop.settings, Span(SECOND, SECOND))["days"] == 0
    assert shop.bytes_of(*BUILT) == before
