"""Invoice lines become events as the source's docstring says, and the accounting holds."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from features.events.ingest import ingest
from features.events.manifest import Manifest
from features.events.staging import REFUSED
from infra.errors import DeliveryError
from infra.partitions import Span
from infra.settings import Settings

SAMPLE = Path(__file__).resolve().parents[3] / "infra" / "sample" / "online_retail_ii_2009_2010.parquet"
YEAR = Span(date(2009, 12, 1), date(2010, 12, 10))
NOW = datetime(2010, 12, 10, tzinfo=UTC)


def refused(shop: Settings, manifest: Manifest) -> list[dict[str, Any]]:
    table = pq.ParquetFile(shop.lake.quarantine(manifest.delivery_id)).read()
    assert table.schema == REFUSED
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


def test_a_line_becomes_a_purchase(take: Any, write: Any, line: Any, read: Any) -> None:
    manifest = take(write("a.csv", [line(customer="13085.0", StockCode=" 85123a ")]))
    [event] = read()
    assert event["user_id"] == "13085"
    assert event["item_id"] == "85123A"
    assert event["event_type"] == "purchase"
    assert event["occurred_at"] == datetime(2010, 12, 1, 8, 26, tzinfo=UTC)
    assert (event["quantity"], event["price"], event["currency"]) == (6, 255, "GBP")
    assert (event["session_id"], event["source"], event["source_position"]) == ("536365", "online-retail", 1)
    assert event["delivery_id"] == manifest.delivery_id
    assert event["ingested_at"] == manifest.delivered_at
    assert not event["ingested_assumed"]
    assert event["country"] == "United Kingdom"


@pytest.mark.parametrize("said", ["", "Unspecified"])
def test_a_country_that_is_not_said_is_none(take: Any, write: Any, line: Any, read: Any, said: str) -> None:
    take(write("a.csv", [line(Country=said)]))
    assert read()[0]["country"] is None


@pytest.mark.parametrize(("invoice", "quantity"), [("C536365", "-6"), ("536365", "-6")])
def test_a_cancellation_is_a_return(take: Any, write: Any, line: Any, read: Any, invoice: str, quantity: str) -> None:
    take(write("a.csv", [line(Invoice=invoice, Quantity=quantity)]))
    [event] = read()
    assert (event["event_type"], event["quantity"]) == ("return", 6)


def test_a_line_without_customer_is_a_guests(take: Any, write: Any, line: Any, read: Any, shop: Settings) -> None:
    take(write("a.csv", [line(customer="")]))
    assert read()[0]["user_id"] is None
    partition = json.loads(shop.lake.partition(date(2010, 12, 1)).read_text())
    assert (partition["rows"], partition["users"], partition["guests"]) == (1, 0, 1)


def test_a_line_repeated_inside_one_invoice_is_a_duplicate(take: Any, write: Any, line: Any) -> None:
    manifest = take(write("a.csv", [line(), line(), line(Invoice="536366")]))
    assert (manifest.accepted, manifest.duplicate) == (2, 1)


@pytest.mark.parametrize(("price", "pence"), [("2.55", 255), ("0.005", 1), ("36.614", 3661), ("1e1", 1000)])
def test_pounds_are_rounded_to_pence(take: Any, write: Any, line: Any, read: Any, price: str, pence: int) -> None:
    take(write("a.csv", [line(Price=price)]))
    assert read()[0]["price"] == pence


@pytest.mark.parametrize(
    ("cells", "reasons"),
    [
        ({"InvoiceDate": ""}, ["time_missing"]),
        ({"InvoiceDate": "yesterday"}, ["time_unreadable"]),
        ({"InvoiceDate": "2010-13-01 08:00:00"}, ["time_unreadable"]),
        ({"InvoiceDate": "1989-12-31 23:59:59"}, ["before_1990"]),
        ({"InvoiceDate": "2010-12-10 01:00:01"}, ["in_the_future"]),
        ({"StockCode": " "}, ["item_missing"]),
        ({"StockCode": "POST"}, ["not_a_product"]),
        ({"StockCode": "bank charges"}, ["not_a_product"]),
        ({"StockCode": "ADJUST2"}, ["not_a_product"]),
        ({"StockCode": "gift_0001_30"}, ["not_a_product"]),
        ({"Invoice": ""}, ["invoice_missing"]),
        ({"Quantity": ""}, ["quantity_missing"]),
        ({"Quantity": "six"}, ["quantity_unreadable"]),
        ({"Quantity": "2.5"}, ["quantity_unreadable"]),
        ({"Quantity": "25e-1"}, ["quantity_unreadable"]),
        ({"Quantity": "0x10"}, ["quantity_unreadable"]),
        ({"Quantity": "0"}, ["quantity_not_positive"]),
        ({"Invoice": "C536365"}, ["cancellation_not_negative"]),
        ({"Price": ""}, ["price_missing"]),
        ({"Price": "free"}, ["price_unreadable"]),
        ({"Price": "inf"}, ["price_unreadable"]),
        ({"Price": "0x10"}, ["price_unreadable"]),
        ({"Price": "1000000000"}, ["price_unreadable"]),
        ({"Price": "1e9"}, ["price_unreadable"]),
        ({"Price": "99999999999"}, ["price_unreadable"]),
        ({"Price": "0"}, ["price_not_positive"]),
        ({"Price": "0.001"}, ["price_not_positive"]),
        ({"Price": "-1"}, ["price_not_positive", "price_negative"]),
        ({"customer": "1" * 300}, ["id_too_long"]),
        (
            {"StockCode": "M", "Price": "0", "Quantity": "0"},
            ["not_a_product", "price_not_positive", "quantity_not_positive"],
        ),
    ],
)
def test_a_bad_row_is_quarantined_with_every_reason(
    take: Any,
    write: Any,
    line: Callable[..., dict[str, str]],
    shop: Settings,
    cells: dict[str, str],
    reasons: list[str],
) -> None:
    bad = line(**cells)
    folder = shop.lake.landing_day("online-retail", date(2010, 12, 1))  # whose name looks like a column
    manifest = take(write("a.csv", [line(), bad], folder))
    [row] = refused(shop, manifest)
    assert row["reasons"] == reasons
    assert (row["file"], row["row"], row["source"]) == ("a.csv", 2, "online-retail")
    assert json.loads(row["original"]) == {name: value or None for name, value in bad.items()}
    assert manifest.quarantined_by_reason == {reasons[0]: 1}
    assert (manifest.rows_in, manifest.accepted, manifest.quarantined) == (2, 1, 1)


def test_an_items_title_is_the_one_said_most_often(take: Any, write: Any, line: Any, shop: Settings) -> None:
    titles = ["RED  MUG ", "RED MUG", "damaged", "A BOWL", "A BOWL", "A BOWL"]
    # the bowls are refused, so that they do not count
    lines = [line(Invoice=str(n), Description=t, Price="0" if "BOWL" in t else "1") for n, t in enumerate(titles)]
    manifest = take(write("a.csv", lines))
    [item] = pq.ParquetFile(shop.lake.items(manifest.delivery_id)).read().to_pylist()
    assert (item["title"], item["category_path"], item["price"]) == ("RED MUG", ["mug"], 100)
    assert item["valid_from"] == datetime(2010, 12, 1, 8, 26, tzinfo=UTC)


def test_titles_that_are_equally_frequent_go_by_the_alphabet(take: Any, write: Any, line: Any, shop: Settings) -> None:
    lines = [line(Invoice=str(n), Description=title) for n, title in enumerate(["ZINC BOX", "BLUE BOX"])]
    manifest = take(write("a.csv", lines))
    assert pq.ParquetFile(shop.lake.items(manifest.delivery_id)).read()["title"].to_pylist() == ["BLUE BOX"]


def test_times_are_the_shops_own(make_settings: Any, tmp_path: Path, write: Any, line: Any) -> None:
    shop = make_settings(tmp_path / "rome", clock="2010-12-10T00:00:00+00:00", timezone="Europe/Rome")
    # half past midnight in Rome is still the evening before in Greenwich
    file = write("a.csv", [line(InvoiceDate="2010-07-02 00:30:00")])
    manifest = ingest(shop, "online-retail", [file], Span.of_day(date(2010, 7, 2)), bulk=True, delivered_at=NOW)
    assert manifest.accepted == 1
    staged = pq.ParquetFile(shop.lake.staging(manifest.delivery_id) / "dt=2010-07-02.parquet").read()
    assert staged["occurred_at"].to_pylist() == [datetime(2010, 7, 1, 22, 30, tzinfo=UTC)]
    assert staged["ingested_at"].to_pylist() == [datetime(2010, 7, 2, 23, tzinfo=UTC)]


def test_a_sum_that_is_broken_fails(take: Any, write: Any, line: Any) -> None:
    manifest = take(write("a.csv", [line()]))
    with pytest.raises(DeliveryError, match="does not add up: 2 rows in; 1 accepted"):
        manifest.model_copy(update={"rows_in": 2}).check_sum()
    with pytest.raises(DeliveryError, match="does not add up"):
        manifest.model_copy(update={"accepted_by_day": {}}).check_sum()


@pytest.mark.thorough
def test_the_sample_adds_up_and_its_bytes_do_not_depend_on_threads(
    shop: Settings, take: Any, contents: Any, make_settings: Any, tmp_path: Path
) -> None:
    manifest = take(SAMPLE, span=YEAR, bulk=True, published=False)
    assert manifest.rows_in == 525_461
    assert (manifest.accepted, manifest.duplicate, manifest.quarantined) == (511_975, 6_853, 6_633)
    assert (manifest.late, manifest.early) == (0, 0)
    assert manifest.quarantined_by_reason == {"not_a_product": 2_966, "price_not_positive": 3_667}
    assert len(manifest.accepted_by_day) == 307
    staged = pq.ParquetFile(shop.lake.staging(manifest.delivery_id) / "dt=2010-12-09.parquet").read()
    assert set(staged["ingested_at"].to_pylist()) == {datetime(2010, 12, 10, 1, tzinfo=UTC)}
    assert pc.all(staged["ingested_assumed"]).as_py()
    items = pq.ParquetFile(shop.lake.staging(manifest.delivery_id) / "items.parquet").read()
    # a version for each day on which title or price are others
    assert (len(items), pc.count_distinct(items["item_id"]).as_py()) == (86_055, 4_096)
    categories = {path[0] for path in items["category_path"].to_pylist()}
    assert 200 < len(categories) < 600

    single = make_settings(tmp_path / "single", clock=shop.clock, threads=1)
    again = ingest(single, "online-retail", [SAMPLE], YEAR, bulk=True, delivered_at=manifest.delivered_at)
    assert again == manifest
    staged_files = contents(shop.lake.staging(manifest.delivery_id))
    assert contents(single.lake.staging(manifest.delivery_id)) == staged_files
    assert len(staged_files) == len(YEAR) + 3
