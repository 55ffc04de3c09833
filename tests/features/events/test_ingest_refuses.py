"""A delivery that cannot be read as a whole ends in a message that names file, row and column; nothing changes."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.events.ingest import ingest
from features.events.landing_folder import find_files
from infra.errors import DeliveryError, MachineError
from infra.partitions import Span
from infra.settings import Settings

HEADER = "Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Customer ID,Country\n"
ROW = "1,22086,MUG,6,2010-12-01 08:26:00,2.55,17850,France\n"
SPAN = Span.of_day(date(2010, 12, 1))


def damaged(compressed: bytes) -> bytes:
    """One bit of the checksum is wrong."""
    return compressed[:-6] + bytes([compressed[-6] ^ 1]) + compressed[-5:]


def refusal(shop: Settings, contents: Callable[[Path], Any], path: Path, source: str = "online-retail") -> str:
    """The message; a good delivery was staged before and must be there unchanged afterwards."""
    good = path.parent / "good.csv"
    good.write_text(HEADER + ROW)
    ingest(shop, "online-retail", [good], SPAN, bulk=False, delivered_at=datetime(2010, 12, 2, tzinfo=UTC))
    before = contents(shop.lake.root)
    with pytest.raises(DeliveryError) as caught:
        ingest(shop, source, [good, path], SPAN, bulk=False, delivered_at=datetime(2010, 12, 2, tzinfo=UTC))
    assert contents(shop.lake.root) == before
    assert caught.value.mend
    assert str(path) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("column.csv", (HEADER + ROW).replace("Price", "Cost").encode(), ["no column Price", "found: Invoice", "Cost"]),
        ("twice.csv", (HEADER + ROW).replace("Country", "Price").encode(), ["column twice: price"]),
        ("empty.csv", b"", ["is empty"]),
        ("header.csv", HEADER.encode(), ["has no rows"]),
        ("latin_header.csv", (HEADER.replace("Country", "Pays\u00e9") + ROW).encode("latin-1"), ["utf-8"]),
        ("short.csv", (HEADER + ROW + "2,22086\n").encode(), ["Line: 3", "Expected Number of Columns: 8 Found: 2"]),
        ("long.csv", (HEADER + ROW + ROW.strip().encode().decode() + ",more\n").encode(), ["Line: 3", "8"]),
        ("quote.csv", (HEADER + ROW + '2,22086,"MUG,1\n').encode(), ["Line: 3", "unterminated quote"]),
        ("broken.csv.gz", gzip.compress((HEADER + ROW * 5000).encode())[:-20], ["GZIP", "cut off"]),
        ("none.csv.gz", b"this is no gzip", ["gzip"]),
        ("none.parquet", b"this is no parquet", ["not a Parquet file"]),
        ("empty.parquet", b"", ["is empty"]),
        ("damaged.csv.gz", damaged(gzip.compress((HEADER + ROW * 500).encode())), ["crc"]),
        ("plain.csv.gz", (HEADER + ROW).encode(), ["not a gzipped file", "without .gz"]),
        ("carriage.csv", (HEADER + ROW).replace("\n", "\r").encode(), ["new-line character"]),
        ("notes.txt", b"by hand", ["is no file of data", ".parquet, .csv"]),
    ],
)
def test_an_unreadable_file(
    shop: Settings, contents: Any, tmp_path: Path, name: str, content: bytes, said: list[str]
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    message = refusal(shop, contents, path)
    for part in said:
        assert part.lower() in message.lower()


def test_a_json_line_that_is_cut_off(shop: Settings, contents: Any, tmp_path: Path) -> None:
    path = tmp_path / "broken.jsonl"
    path.write_text('{"Invoice": "1"}\n{"Invoice": \n')
    assert "in line" in refusal(shop, contents, path)


def test_a_parquet_without_rows(shop: Settings, contents: Any, tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    columns = HEADER.strip().split(",")
    pq.write_table(pa.table({name: pa.array([], pa.string()) for name in columns}), path)
    assert "has no rows" in refusal(shop, contents, path)


def test_a_file_that_is_not_there(shop: Settings) -> None:
    with pytest.raises(DeliveryError, match=r"gone\.csv cannot be read: No such file"):
        ingest(shop, "canonical", [Path("gone.csv")], SPAN, bulk=False, delivered_at=datetime(2010, 12, 2, tzinfo=UTC))


def test_a_source_that_nobody_knows(shop: Settings) -> None:
    with pytest.raises(DeliveryError, match=r"no source .tmall.*canonical, inbox, online-retail"):
        ingest(shop, "tmall", [], SPAN, bulk=False, delivered_at=datetime(2010, 12, 2, tzinfo=UTC))


def test_other_files_in_the_folder_are_left_and_named(shop: Settings, take: Any, write: Any, line: Any) -> None:
    folder = shop.lake.landing_day("online-retail", date(2010, 12, 1))
    file = write("a.csv", [line()], folder)
    (folder / "notes.txt").write_text("by hand")
    (folder / ".hidden.csv").write_text("")
    (folder / "archive").mkdir()
    found = find_files(shop, "online-retail", date(2010, 12, 1))
    assert (found.files, found.ignored) == ((file,), ("archive", "notes.txt"))
    assert take(file, ignored_files=found.ignored).ignored_files == ("archive", "notes.txt")


@pytest.mark.parametrize("name", ["b[1].csv", "q?.csv", "a*.csv", "a$currency.csv", "it's.csv", "{x}; %.csv"])
def test_a_files_name_is_a_name_and_no_pattern(take: Any, read: Any, tmp_path: Path, name: str) -> None:
    for other in ("b1.csv", "q1.csv", "a1.csv"):
        (tmp_path / other).write_text(HEADER + ROW.replace("22086", "85048"))
    (tmp_path / name).write_text(HEADER + ROW)
    assert take(tmp_path / name).accepted == 1
    assert [event["item_id"] for event in read()] == ["22086"]


@pytest.mark.parametrize("column", ["", "line", "$horizon", "cell_0", "row", "raw"])
def test_other_columns_may_be_called_anything(take: Any, tmp_path: Path, column: str) -> None:
    path = tmp_path / "wide.csv"
    path.write_text(f"{column},{HEADER}0,{ROW}")
    assert take(path).accepted == 1


def test_guests_of_pandas_are_guests_and_long_ids_stay_apart(take: Any, read: Any, tmp_path: Path) -> None:
    columns = HEADER.strip().split(",")
    cells = {name: [cell] * 4 for name, cell in zip(columns, ROW.strip().split(","), strict=True)}
    cells["Invoice"] = ["1", "2", "3", "4"]
    table = pa.table({**cells, "Customer ID": pa.array([float("nan"), 13085.0, 1e16, 1e16 + 2])})
    pq.write_table(table, tmp_path / "pandas.parquet")
    assert take(tmp_path / "pandas.parquet").accepted == 4
    assert [event["user_id"] for event in read()] == [None, "13085", "10000000000000000", "10000000000000002"]


def test_a_damaged_parquet_page_is_told(shop: Settings, contents: Any, tmp_path: Path) -> None:
    columns = HEADER.strip().split(",")
    path = tmp_path / "damaged.parquet"
    pq.write_table(pa.table({name: [f"{name}{row}" for row in range(5000)] for name in columns}), path)
    whole = path.read_bytes()
    path.write_bytes(whole[:40] + b"\xff" * 200 + whole[240:])
    refusal(shop, contents, path)


def test_delimiters_byte_order_marks_and_line_ends_are_understood(take: Any, tmp_path: Path) -> None:
    path = tmp_path / "excel.csv"
    path.write_bytes(b"\xef\xbb\xbf" + (HEADER + ROW).replace(",", ";").replace("\n", "\r\n").encode())
    assert take(path).accepted == 1


def test_too_little_memory_is_said(make_settings: Any, tmp_path: Path, contents: Any) -> None:
    shop = make_settings(tmp_path / "home", clock="2010-12-10T00:00:00+00:00", ingest_memory="12MB")
    path = tmp_path / "large.csv"
    path.write_text(HEADER + ROW.replace("MUG", "M" * 200) * 20_000)
    with pytest.raises(MachineError, match="ingest_memory"):
        ingest(shop, "online-retail", [path], SPAN, bulk=False, delivered_at=datetime(2010, 12, 2, tzinfo=UTC))
    assert contents(shop.lake.root) == {}
