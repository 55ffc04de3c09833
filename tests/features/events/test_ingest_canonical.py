"""Events in our own vocabulary: three formats, one result; repeats are events; ids are the source's where given."""

from __future__ import annotations

import gzip
import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from infra.settings import Settings

pytestmark = pytest.mark.thorough  # seconds in sum

VIEW = {"user_id": "u1", "item_id": "i1", "event_type": "view", "occurred_at": "2010-12-01T10:00:00+01:00"}
BUY = {**VIEW, "event_type": "Purchase", "occurred_at": "2010-12-01 11:00:00", "price": 1999, "currency": "eur"}


def as_lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_three_formats_gzip_and_zstd_give_the_same_events(tmp_path: Path, take: Any, write: Any) -> None:
    rows = [{**VIEW, "price": "", "currency": ""}, {key: str(value) for key, value in BUY.items()}]
    plain = write("a.csv", rows)
    packed = tmp_path / "a.csv.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    lines = as_lines(tmp_path / "a.jsonl", [VIEW, BUY])
    packed_lines = tmp_path / "b.jsonl.zst"
    with pa.output_stream(str(packed_lines), compression="zstd") as stream:
        stream.write(lines.read_bytes())
    table = tmp_path / "a.parquet"
    pq.write_table(pa.Table.from_pylist([{**VIEW, "price": None, "currency": None}, BUY]), table)
    first = take(plain, source="canonical")
    assert first.accepted == 2
    for path in (packed, lines, packed_lines, table):
        again = take(path, source="canonical")
        assert again.delivery_id != first.delivery_id
        assert (again.accepted, again.duplicate) == (0, 2), path.name


def test_columns_are_typed_and_the_rest_is_null(tmp_path: Path, take: Any, read: Any) -> None:
    row = {
        **VIEW,
        "dwell_ms": 1500,
        "rating": 4.5,
        "text": "fine",
        "session_id": "s",
        "country": " Norway ",
        "campaign": "spring",
        "source_position": 7,
        "user_id": 13085.0,
    }
    take(as_lines(tmp_path / "a.jsonl", [row, BUY]), source="canonical")
    view, buy = read()
    assert [(event["country"], event["campaign"]) for event in (view, buy)] == [("Norway", "spring"), (None, None)]
    assert view["occurred_at"] == datetime(2010, 12, 1, 9, tzinfo=UTC)
    assert (view["dwell_ms"], view["rating"], view["text"]) == (1500, 4.5, "fine")
    assert (view["user_id"], view["session_id"], view["source_position"]) == ("13085", "s", 7)
    assert (view["price"], view["currency"], view["quantity"]) == (None, None, None)
    assert (buy["event_type"], buy["price"], buy["currency"]) == ("purchase", 1999, "EUR")
    assert buy["quantity"] == 1  # who buys without saying how many buys one


def test_repeats_are_events_and_a_second_delivery_of_them_is_not(tmp_path: Path, take: Any, read: Any) -> None:
    path = as_lines(tmp_path / "a.jsonl", [VIEW, VIEW, VIEW])
    assert take(path, source="canonical").accepted == 3
    more = as_lines(tmp_path / "b.jsonl", [VIEW, VIEW, VIEW, VIEW])
    again = take(more, source="canonical")
    assert (again.accepted, again.duplicate) == (1, 3)
    assert len({event["event_id"] for event in read()}) == 4


def test_a_file_that_lies_twice_in_a_delivery_counts_once(tmp_path: Path, take: Any) -> None:
    path = as_lines(tmp_path / "a.jsonl", [VIEW, VIEW])
    copy = Path(shutil.copy(path, tmp_path / "b.jsonl"))
    manifest = take(path, copy, source="canonical")
    assert (manifest.rows_in, manifest.accepted, manifest.duplicate) == (4, 2, 2)


def test_the_sources_own_id_decides(tmp_path: Path, take: Any, read: Any) -> None:
    rows = [{**VIEW, "event_id": "e1"}, {**VIEW, "event_id": "e2"}, {**BUY, "event_id": "e1"}]
    manifest = take(as_lines(tmp_path / "a.jsonl", rows), source="canonical")
    assert (manifest.accepted, manifest.duplicate) == (2, 1)
    assert [event["event_id"] for event in read()] == ["e1", "e2"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"event_type": "stare"}, "type_unknown"),
        ({"event_type": None}, "type_missing"),
        ({"item_id": None}, "item_missing"),
        ({"dwell_ms": -1}, "dwell_negative"),
        ({"dwell_ms": "long"}, "dwell_unreadable"),
        ({"rating": 11}, "rating_out_of_range"),
        ({"rating": "NaN"}, "rating_unreadable"),
        ({"quantity": -2}, "quantity_not_positive"),
        ({"price": -2}, "price_negative"),
        ({"price": 19.99}, "price_unreadable"),
        ({"price": 5, "currency": "pounds"}, "currency_unreadable"),
        ({"source_position": "first"}, "position_unreadable"),
        ({"event_id": "e" * 300}, "id_too_long"),
        ({"campaign": "c" * 300}, "id_too_long"),
        ({"country": "Nor\nway"}, "id_unreadable"),
        ({"occurred_at": "infinity"}, "time_unreadable"),
    ],
)
def test_bad_values_are_quarantined(tmp_path: Path, take: Any, change: dict[str, Any], reason: str) -> None:
    manifest = take(as_lines(tmp_path / "a.jsonl", [VIEW, {**VIEW, **change}]), source="canonical")
    assert manifest.quarantined_by_reason == {reason: 1}
    assert manifest.accepted == 1


@pytest.mark.parametrize("kind", ["login", "search"])
def test_a_login_and_a_search_need_no_item(tmp_path: Path, take: Any, kind: str) -> None:
    assert take(
        as_lines(tmp_path / "a.jsonl", [{**VIEW, "item_id": None, "event_type": kind}]), source="canonical"
    ).accepted


def test_an_item_brings_its_own_categories(tmp_path: Path, take: Any, shop: Settings) -> None:
    row = {**VIEW, "title": "RED MUG", "category_path": "Home > Kitchen", "brand": "Acme"}
    manifest = take(as_lines(tmp_path / "a.jsonl", [row]), source="canonical")
    [item] = pq.ParquetFile(shop.lake.items(manifest.delivery_id)).read().to_pylist()
    assert (item["category_path"], item["brand"], item["title"]) == (["Home", "Kitchen"], "Acme", "RED MUG")


@pytest.mark.parametrize("user", ["none", "13085.0", "NaN"])
def test_ids_that_were_posted_are_texts_as_they_are(tmp_path: Path, take: Any, read: Any, user: str) -> None:
    """The API counts them at once under the very name."""
    take(as_lines(tmp_path / "inbox.jsonl", [{**VIEW, "user_id": user}]), source="inbox")
    assert [event["user_id"] for event in read()] == [user]


@pytest.mark.parametrize(
    "path", ["Home > Mugs", '["Home", "Mugs"]', "['Home', 'Mugs']", '[["Home", "Mugs"], ["Gifts"]]']
)
def test_a_category_path_in_any_of_its_writings(tmp_path: Path, take: Any, shop: Settings, path: str) -> None:
    manifest = take(
        as_lines(tmp_path / "a.jsonl", [{**VIEW, "title": "RED CUP", "category_path": path}]), source="canonical"
    )
    [item] = pq.ParquetFile(shop.lake.items(manifest.delivery_id)).read().to_pylist()
    assert item["category_path"] == ["Home", "Mugs"]
