"""A file of each published dataset's shape goes from its path alone to accepted events and described items."""

from __future__ import annotations

import gzip
import json
import shutil
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from features.events.manifest import Manifest
from infra.errors import DeliveryError
from infra.partitions import Span
from infra.settings import Settings

pytestmark = pytest.mark.thorough  # seconds in sum

PUBLISHED = Path(__file__).parent / "published"


@pytest.fixture
def log(mall: Settings) -> Any:
    """The events of a delivery, in order, some of their columns."""

    def read(manifest: Manifest, *columns: str) -> list[Any]:
        files = [mall.lake.events(day, manifest.delivery_id) for day in manifest.days]
        rows = [row for path in files for row in pq.ParquetFile(path).read().to_pylist()]
        return [tuple(row[column] for column in columns) if columns[1:] else row[columns[0]] for row in rows]

    return read


@pytest.fixture
def items(mall: Settings) -> Any:
    def read(manifest: Manifest, *columns: str) -> list[Any]:
        rows = pq.ParquetFile(mall.lake.items(manifest.delivery_id)).read().to_pylist()
        return [tuple(row[column] for column in columns) for row in rows]

    return read


def test_retailrocket(taken: Any, log: Any, items: Any) -> None:
    manifest = taken(PUBLISHED / "retailrocket")
    assert (manifest.source, manifest.rows_in, manifest.accepted) == ("retailrocket", 5, 5)
    assert manifest.span == Span(date(2015, 6, 2), date(2015, 6, 10))
    assert manifest.catalogue == {"rows": 5, "taken": 3, "unused": 2, "refused": 0, "price_unreadable": 0}
    found = log(manifest, "event_type", "user_id", "item_id", "session_id", "occurred_at")
    assert found[:3] == [
        ("view", "257597", "355908", None, datetime(2015, 6, 2, 5, 2, 12, 117000, UTC)),
        ("cart", "992329", "248676", None, datetime(2015, 6, 2, 5, 50, 14, 164000, UTC)),
        ("purchase", "992329", "248676", "4000", datetime(2015, 6, 2, 5, 50, 44, 282000, UTC)),
    ]
    assert items(manifest, "item_id", "category_path", "valid_from") == [
        ("100001", ["other"], datetime(2015, 6, 9, 6, 6, 39, 827000, UTC)),
        ("248676", ["9", "570"], datetime(2015, 5, 10, 3, tzinfo=UTC)),
        ("355908", ["1600", "213", "1016"], datetime(2015, 5, 31, 3, tzinfo=UTC)),
        ("355908", ["169", "809"], datetime(2015, 6, 7, 3, tzinfo=UTC)),
    ]


def test_taobao_without_a_header(taken: Any, log: Any, items: Any) -> None:
    manifest = taken(PUBLISHED / "taobao" / "UserBehavior.csv")
    assert (manifest.source, manifest.rows_in) == ("taobao-user-behavior", 7)
    assert (manifest.accepted, manifest.duplicate) == (5, 1)
    assert manifest.quarantined_by_reason == {"time_unreadable": 1}
    assert log(manifest, "event_type") == ["view", "view", "purchase", "favorite", "cart"]
    assert ("2268318", ["2520377"]) in items(manifest, "item_id", "category_path")


def test_taobao_with_a_header(taken: Any, tmp_path: Path) -> None:
    copy = tmp_path / "log.csv"
    copy.write_text(
        "user_id,item_id,category_id,behavior_type,timestamp\n" + (PUBLISHED / "taobao/UserBehavior.csv").read_text()
    )
    assert taken(copy).accepted == 5


def test_rees46(taken: Any, log: Any, items: Any) -> None:
    manifest = taken(PUBLISHED / "rees46" / "2019-Oct.csv")
    assert (manifest.source, manifest.accepted) == ("rees46", 3)
    assert manifest.quarantined_by_reason == {"removed_from_cart": 1}
    assert log(manifest, "event_type", "price") == [("view", 3579), ("cart", 3320), ("purchase", 13076)]
    assert items(manifest, "category_path", "brand") == [
        (["electronics", "smartphone"], "samsung"),
        (["appliances", "environment", "water_heater"], "aqua"),
        (["2103807459595387724"], "shiseido"),
    ]


def test_amazon_reviews_of_2018(taken: Any, log: Any, items: Any) -> None:
    manifest = taken(PUBLISHED / "amazon_2018")  # years lie between two of its reviews
    assert (manifest.source, manifest.accepted) == ("amazon-reviews", 2)
    assert manifest.span == Span(date(2013, 11, 14), date(2016, 9, 2))
    assert log(manifest, "rating", "text") == [(2.0, None), (5.0, "Five Stars\nAs advertised. Reasonably priced")]
    assert items(manifest, "title", "category_path", "brand", "price") == [
        ("Ice Blue After Shave", ["All Beauty", "Shaving"], "Sample Brand", 1299)
    ]


def test_amazon_reviews_of_2023(taken: Any, log: Any, items: Any) -> None:
    manifest = taken(PUBLISHED / "amazon_2023")
    assert (manifest.source, manifest.accepted, manifest.catalogue["taken"]) == ("amazon-reviews", 2, 2)
    assert log(manifest, "item_id", "event_type") == [("B00YQ6X8EO", "review"), ("B097R46CSY", "review")]
    assert items(manifest, "title", "category_path", "brand", "price") == [
        ("Salt Spray", ["Hair", "Styling"], "Shore", 1450),
        ("Soap Dispenser", ["soap"], None, None),
    ]


def test_online_retail_in_both_spellings(taken: Any, log: Any) -> None:
    first = taken(PUBLISHED / "online_retail" / "first_year.csv")
    second = taken(PUBLISHED / "online_retail" / "second_year.csv")
    assert {first.source, second.source} == {"online-retail"}
    assert log(first, "event_type", "user_id", "quantity") == [("purchase", "13085", 12), ("return", "16321", 12)]
    assert second.quarantined_by_reason == {"not_a_product": 1, "price_not_positive": 1}
    assert log(second, "session_id", "price", "occurred_at") == [
        ("536365", 255, datetime(2010, 12, 1, 8, 26, tzinfo=UTC))
    ]


@pytest.mark.parametrize("packing", ["", ".gz"])
def test_online_retail_in_latin_1_as_it_goes_round(taken: Any, items: Any, tmp_path: Path, packing: str) -> None:
    log = tmp_path / f"data.csv{packing}"
    content = (PUBLISHED / "online_retail" / "second_year.csv").read_text().splitlines()
    content[1] = content[1].replace(content[1].split(",")[2], "CAF\xc9 SIGN \xa31")
    written = ("\n".join(content) + "\n").encode("latin-1")
    log.write_bytes(gzip.compress(written) if packing else written)
    manifest = taken(log)
    assert (manifest.source, manifest.accepted) == ("online-retail", 1)
    assert items(manifest, "title") == [("CAF\xc9 SIGN \xa31",)]


@pytest.mark.parametrize("others", ["CAF\xc9 \xa31".encode(), b"CAF\x80 \x93A\x94"])
def test_online_retail_that_is_only_partly_latin_1_is_refused(taken: Any, tmp_path: Path, others: bytes) -> None:
    log = tmp_path / "data.csv"
    content = (PUBLISHED / "online_retail" / "second_year.csv").read_bytes().splitlines()
    title = content[1].split(b",")[2]
    log.write_bytes(b"\n".join([*content, content[1].replace(title, b"SIGN \xa31"), content[1].replace(title, others)]))
    with pytest.raises(DeliveryError, match=r"data\.csv cannot be read: .*Line: 5.*Column: Description.* as UTF-8"):
        taken(log)


def test_both_spellings_in_one_delivery(taken: Any) -> None:
    folder = PUBLISHED / "online_retail"
    manifest = taken(
        folder / "first_year.csv", folder / "second_year.csv", span=Span(date(2009, 12, 1), date(2011, 1, 1))
    )
    assert (manifest.accepted, manifest.quarantined) == (3, 2)


def test_online_retail_without_invoices_and_codes(taken: Any, log: Any) -> None:
    manifest = taken(PUBLISHED / "online_retail" / "without_codes.csv")
    assert (manifest.source, manifest.accepted) == ("online-retail", 4)
    heart, hanger, _lantern, back = log(manifest, "item_id", "session_id", "event_type")
    assert heart == ("WHITE HANGING HEART T-LIGHT HOLDER", "17850@2010-12-01 08:26:00", "purchase")
    assert heart[1] == hanger[1] != back[1]
    assert back[2] == "return"


@pytest.mark.parametrize("column", ["Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Description"])
def test_what_cannot_be_derived_is_refused_by_name(taken: Any, tmp_path: Path, column: str) -> None:
    copy = tmp_path / "copy.csv"
    copy.write_text((PUBLISHED / "online_retail/without_codes.csv").read_text().replace(column, "other"))
    with pytest.raises(DeliveryError, match=column):
        taken(copy, source="online-retail", span=Span.of_day(date(2010, 12, 1)))


def test_canonical_events_with_items(taken: Any, log: Any, items: Any) -> None:
    manifest = taken(PUBLISHED / "canonical")
    assert (manifest.source, manifest.accepted, manifest.catalogue["taken"]) == ("canonical", 3, 3)
    assert log(manifest, "event_type", "dwell_ms", "text") == [
        ("view", 4200, None),
        ("impression", None, None),
        ("search", None, "red mug"),
    ]
    assert items(manifest, "item_id", "price", "valid_from") == [
        ("i1", 499, datetime(2024, 2, 1, tzinfo=UTC)),
        ("i1", 599, datetime(2024, 3, 1, 12, tzinfo=UTC)),
        ("i2", None, datetime(2024, 3, 1, tzinfo=UTC)),
    ]


def test_a_file_of_no_known_source_is_refused_with_its_columns(taken: Any, tmp_path: Path) -> None:
    strange = tmp_path / "weather.csv"
    strange.write_text("city,rain\nBath,1\n")
    with pytest.raises(DeliveryError, match=r"weather\.csv fits no known source; its columns are city, rain\."):
        taken(strange)


def test_items_alone_are_no_delivery(taken: Any) -> None:
    with pytest.raises(DeliveryError, match=r"No log is among the files: .*items\.csv"):
        taken(PUBLISHED / "canonical" / "items.csv", source="canonical")


def test_a_strange_file_among_others_is_named(taken: Any, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(PUBLISHED / "retailrocket", tmp_path / "shop"))
    (folder / "weather.csv").write_text("city,rain\nBath,1\n")
    with pytest.raises(DeliveryError, match=r"weather\.csv"):
        taken(folder)


def test_amazon_prices_of_thousands_and_titles_from_web_pages(taken: Any, items: Any, tmp_path: Path) -> None:
    review = {"reviewerID": "u", "asin": "a", "overall": 5.0, "unixReviewTime": 1400000000}
    about = {"asin": "a", "title": "Salt &amp; Pepper &quot;Set&quot;", "category": ["Home &amp; Kitchen"],
             "price": "$1,234.50", "brand": "Smith &#39;n Sons"}  # fmt: skip
    (tmp_path / "reviews.json").write_text(json.dumps(review) + "\n")
    (tmp_path / "meta.json").write_text(json.dumps(about) + "\n")
    assert items(
        taken(tmp_path / "reviews.json", tmp_path / "meta.json"), "title", "category_path", "brand", "price"
    ) == [('Salt & Pepper "Set"', ["Home & Kitchen"], "Smith 'n Sons", 123450)]


def test_files_of_two_sources_are_told_apart(taken: Any) -> None:
    with pytest.raises(DeliveryError, match=r"of several sources.*is of retailrocket; .*is of taobao-user-behavior"):
        taken(PUBLISHED / "retailrocket" / "events.csv", PUBLISHED / "taobao" / "UserBehavior.csv")


def test_what_a_file_says_of_items_is_held_to_the_rules_of_events(taken: Any, items: Any, tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("item_id,event_type,occurred_at\na,view,2010-01-01\n")
    rows = [
        {"item_id": "a", "title": "MUG", "price": -5},
        {"item_id": "b", "title": "TIN", "price": 10**18},
        {"item_id": "c", "title": "BOX", "price": "12.5"},
        {"item_id": "d", "title": "CUP", "price": 499, "valid_from": "2010-01-01"},
        {"item_id": "x" * 400, "title": "LONG"},
        {"item_id": "y\u0000", "title": "NUL"},
        {"item_id": "z", "title": "FAR", "valid_from": "294247-01-01"},
        {"item_id": "z", "title": "ODD", "valid_from": "soon"},
    ]
    (tmp_path / "items.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    manifest = taken(tmp_path / "log.csv", tmp_path / "items.jsonl")
    assert manifest.catalogue == {"rows": 8, "taken": 4, "unused": 0, "refused": 4, "price_unreadable": 3}
    assert items(manifest, "item_id", "title", "price") == [
        ("a", "MUG", None), ("b", "TIN", None), ("c", "BOX", None), ("d", "CUP", 499),
    ]  # fmt: skip
