"""Bad input, as files: each is refused as a whole, or its row goes to the quarantine, as ``expected.yaml`` says."""

from __future__ import annotations

import gzip
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from features.events import ingest as ingesting
from infra.errors import DeliveryError
from infra.partitions import Span
from infra.settings import Settings

pytestmark = pytest.mark.thorough  # seconds in sum

FOLDER = Path(__file__).parent / "bad_input"
EXPECTED: dict[str, dict[str, Any]] = yaml.safe_load((FOLDER / "expected.yaml").read_text())
HEADER = "item_id,event_type,occurred_at\n"
ROW = "i,view,2010-12-01 10:00:00\n"


def names(kind: str) -> list[str]:
    return [name for name, said in EXPECTED.items() if kind in said]


def test_every_file_has_its_expectation() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {*EXPECTED, "expected.yaml"}


@pytest.mark.parametrize("name", names("refused"))
def test_refused_as_a_whole(take: Any, shop: Settings, contents: Any, name: str) -> None:
    with pytest.raises(DeliveryError) as refused:
        take(FOLDER / name, source="canonical")
    message = str(refused.value)
    assert str(FOLDER / name) in message
    for part in EXPECTED[name]["refused"]:
        assert part.lower() in message.lower()
    assert not [file for file in contents(shop.home) if not file.startswith("run/")]


@pytest.mark.parametrize("name", names("reasons"))
def test_quarantined_with_its_reason(take: Any, shop: Settings, name: str) -> None:
    manifest = take(FOLDER / name, source="canonical")
    assert (manifest.rows_in, manifest.accepted, manifest.quarantined) == (2, 1, 1)
    [row] = pq.ParquetFile(shop.lake.quarantine(manifest.delivery_id)).read().to_pylist()
    assert row["reasons"] == EXPECTED[name]["reasons"]
    assert (row["row"], row["file"]) == (2, name)


@pytest.mark.parametrize("name", names("taken"))
def test_understood_all_the_same(take: Any, name: str) -> None:
    manifest = take(FOLDER / name, source="canonical")
    assert (manifest.rows_in, manifest.accepted) == (EXPECTED[name]["taken"], EXPECTED[name]["taken"])


def test_a_line_of_ten_megabytes(take: Any, tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    path.write_text(HEADER.strip() + ",text\n" + ROW.strip() + "," + "x" * 10_000_000 + "\n")
    with pytest.raises(DeliveryError, match=r"long\.csv cannot be read: .*[Mm]aximum line size.*no row of a log"):
        take(path, source="canonical")


def test_a_header_of_ten_megabytes(take: Any, tmp_path: Path) -> None:
    path = tmp_path / "header.csv"
    path.write_text("x" * 10_000_000 + "\n")
    with pytest.raises(DeliveryError, match=r"header\.csv has a first line of more than 2,000,000 bytes"):
        take(path, source="canonical")


def test_a_gzip_bomb(take: Any, tmp_path: Path, make_settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from features.events.reading import packed

    monkeypatch.setattr(packed, "_RATIO_FROM", 1 << 20)
    path = tmp_path / "bomb.csv.gz"
    with gzip.open(path, "wb") as stream:
        stream.write(HEADER.encode())
        for _ in range(200):
            stream.write(b"0" * 1_000_000)
    with pytest.raises(DeliveryError, match=r"bomb\.csv\.gz unpacks to .* bytes or more"):
        take(path, source="canonical")


def test_a_compressed_file_above_the_limit(tmp_path: Path, make_settings: Any) -> None:
    from features.events.by_hand import take_files

    shop = make_settings(tmp_path / "home", clock="2010-12-10T00:00:00+00:00", unpacked_bytes=10_000)
    path = tmp_path / "large.csv.gz"
    path.write_bytes(gzip.compress((HEADER + ROW * 1000).encode()))
    with pytest.raises(DeliveryError, match=r"large\.csv\.gz unpacks to .* or more .* unpacked_bytes"):
        take_files(shop, [str(path)])


def test_a_parquet_file_above_the_limit(tmp_path: Path, make_settings: Any) -> None:
    from features.events.by_hand import take_files

    shop = make_settings(tmp_path / "home", clock="2010-12-10T00:00:00+00:00", unpacked_bytes=10_000)
    path = tmp_path / "large.parquet"
    row = {"item_id": "i" * 250, "event_type": "view", "occurred_at": "2010-12-01 10:00:00"}
    pq.write_table(pa.Table.from_pylist([row] * 1000), path, compression="zstd", use_dictionary=False)
    with pytest.raises(DeliveryError, match=r"large\.parquet unpacks to .* bytes or more .* unpacked_bytes"):
        take_files(shop, [str(path)])


def test_a_file_that_grows_while_it_is_read(take: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "growing.csv"
    path.write_text(HEADER + ROW)
    parse = ingesting.parse

    def slow(*arguments: Any) -> Any:
        parsed = parse(*arguments)
        with path.open("a") as stream:
            stream.write(ROW)
        return parsed

    monkeypatch.setattr(ingesting, "parse", slow)
    with pytest.raises(DeliveryError, match=r"growing\.csv changed while it was read"):
        take(path, source="canonical")


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("item_id", pa.array([5])),
        ("item_id", pa.array([5.0])),
        ("item_id", pa.array(["i"]).dictionary_encode()),
        ("occurred_at", pa.array([1291197600000000], pa.timestamp("us"))),
        ("occurred_at", pa.array([1291197600], pa.timestamp("s", tz="Europe/London"))),
        ("occurred_at", pa.array([date(2010, 12, 1)])),
        ("occurred_at", pa.array([1291197600])),
        ("event_type", pa.array([b"view"])),
        ("item_id", pa.array(["hüt".encode()])),
        ("item_id", pa.array([b"\xff\x00"])),  # hexadecimal then
    ],
)
def test_parquet_with_other_types(take: Any, tmp_path: Path, column: str, values: pa.Array) -> None:
    cells = {"item_id": ["i"], "event_type": ["view"], "occurred_at": ["2010-12-01 10:00:00"], column: values}
    path = tmp_path / "typed.parquet"
    pq.write_table(pa.table(cells), path)
    assert take(path, source="canonical").accepted == 1


def test_parquet_whose_texts_do_not_say_that_they_are(take: Any, read: Any, tmp_path: Path) -> None:
    path = tmp_path / "bytes.parquet"
    row = {"item_id": "hüt", "event_type": "view", "occurred_at": "2010-12-01 10:00:00"}
    pq.write_table(pa.table({name: [cell.encode()] for name, cell in row.items()}), path)
    take(path, source="canonical")
    assert [event["item_id"] for event in read(Span.of_day(date(2010, 12, 1)))] == ["hüt"]


def test_parquet_with_types_that_say_nothing(take: Any, tmp_path: Path) -> None:
    cells = {"item_id": [{"id": 1}], "event_type": [True], "occurred_at": [[1, 2]]}
    path = tmp_path / "odd.parquet"
    pq.write_table(pa.table(cells), path)
    manifest = take(path, source="canonical", span=Span.of_day(date(2010, 12, 1)))
    assert manifest.quarantined_by_reason == {"time_unreadable": 1}


@pytest.mark.parametrize(
    ("moment", "reasons"),
    [
        ("2010-03-28 01:30:00", ["time_skipped"]),
        ("2010-03-28T01:30", ["time_skipped"]),
        ("2010-03-28 01:30:00+00:00", None),
        ("2010-03-28 01:30:00 UTC", None),
        ("2010-03-28T00:30:00Z", None),
        ("2010-03-28 00:59:59", None),
        ("2010-03-28 02:00:00", None),
        ("1269739800", None),
        ("2010-10-31 01:30:00", None),  # twice that night
    ],
)
def test_an_hour_that_the_shops_clocks_left_out(
    tmp_path: Path, make_settings: Any, moment: str, reasons: list[str] | None
) -> None:
    from features.events.by_hand import take_files

    shop = make_settings(tmp_path / "home", clock="2010-12-10T00:00:00+00:00", timezone="Europe/London")
    path = tmp_path / "spring.csv"
    path.write_text(HEADER + ROW.replace("2010-12-01 10:00:00", moment))
    manifest = take_files(shop, [str(path)], span=Span(date(2010, 3, 28), date(2010, 11, 1)))
    assert dict(manifest.quarantined_by_reason) == (dict.fromkeys(reasons, 1) if reasons else {})


def test_an_hour_that_the_shops_clocks_show_twice_is_the_later_one(tmp_path: Path, make_settings: Any) -> None:
    from features.events.by_hand import take_files

    shop = make_settings(tmp_path / "home", clock="2010-12-10T00:00:00+00:00", timezone="Europe/London")
    path = tmp_path / "autumn.csv"
    path.write_text(HEADER + ROW.replace("2010-12-01 10:00:00", "2010-10-31 01:30:00"))
    manifest = take_files(shop, [str(path)])
    [event] = pq.ParquetFile(shop.lake.staging(manifest.delivery_id) / "dt=2010-10-31.parquet").read().to_pylist()
    assert event["occurred_at"] == datetime(2010, 10, 31, 1, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("moment", "reasons"),
    [
        ("2010-10-10", {}),  # the clocks went from midnight to one
        ("2010-10-10 00:00:00", {}),
        ("2010-10-10 00:30:00", {"time_skipped": 1}),
    ],
)
def test_a_day_that_began_an_hour_late(
    tmp_path: Path, make_settings: Any, moment: str, reasons: dict[str, int]
) -> None:
    from features.events.by_hand import take_files

    shop = make_settings(tmp_path / "home", clock="2010-12-10T00:00:00+00:00", timezone="America/Santiago")
    path = tmp_path / "days.csv"
    path.write_text(HEADER + ROW.replace("2010-12-01 10:00:00", moment))
    manifest = take_files(shop, [str(path)], span=Span.of_day(date(2010, 10, 10)))
    assert dict(manifest.quarantined_by_reason) == reasons


@pytest.mark.parametrize(
    ("moment", "taken"),
    [
        ("2010-12-01 10:00:00+14:00", True),
        ("2010-12-01T10:00:00.123456-1200", True),
        ("2010-12-01 10:00:00+05:45", True),
        ("2010-12-01 10:00:00-16", False),
        ("2010-12-01 10:00:00+99:00", False),
        ("2010-12-01T10:00+05:75", False),
        ("2010-12-01 10:00:00 UTC", True),
        ("2010-12-01T10:00:00.5Z", True),
        ("2010-12-01 10:00:00 Europe/London", True),
        ("2010-12-01 10:00:00 BST", False),  # of London, or of Dhaka
        ("2010-12-01 10:00:00.123 IST", False),
    ],
)
def test_offsets_that_no_zone_has_and_names_that_several_have(
    take: Any, tmp_path: Path, moment: str, taken: bool
) -> None:
    path = tmp_path / "offset.csv"
    path.write_text(HEADER + ROW.replace("2010-12-01 10:00:00", moment) + ROW)
    manifest = take(path, source="canonical", span=Span(date(2010, 11, 30), date(2010, 12, 3)))
    assert dict(manifest.quarantined_by_reason) == ({} if taken else {"time_unreadable": 1})


def test_json_with_a_byte_order_mark(take: Any, tmp_path: Path) -> None:
    path = tmp_path / "marked.jsonl"
    path.write_text('{"item_id": "i", "event_type": "view", "occurred_at": "2010-12-01"}\n', encoding="utf-8-sig")
    with pytest.raises(DeliveryError, match=r"marked\.jsonl begins with a byte order mark\. Save it as UTF-8 without"):
        take(path, source="canonical")


def test_a_gzip_with_something_after_its_end(take: Any, tmp_path: Path) -> None:
    path = tmp_path / "trail.csv.gz"
    path.write_bytes(gzip.compress((HEADER + ROW).encode()) + b"and more")
    with pytest.raises(DeliveryError, match=r"trail\.csv\.gz cannot be read: .* something follows its end"):
        take(path, source="canonical")


@pytest.mark.parametrize("nobody", ["NULL", "null", "None", "\\N", "NaN", ""])
def test_what_writers_say_for_nobody_is_a_guest(take: Any, read: Any, tmp_path: Path, nobody: str) -> None:
    path = tmp_path / "guests.csv"
    path.write_text(f"user_id,{HEADER}{nobody},{ROW}N,{ROW}")
    take(path, source="canonical")
    assert {event["user_id"] for event in read(Span.of_day(date(2010, 12, 1)))} == {None, "N"}


@pytest.mark.parametrize(("price", "taken"), [("400", True), ("400.0", True), ("4.00", False), ("4.99", False)])
def test_prices_in_pounds_are_not_taken_for_pence(take: Any, tmp_path: Path, price: str, taken: bool) -> None:
    path = tmp_path / "prices.csv"
    path.write_text(f"price,{HEADER}{price},{ROW}")
    assert dict(take(path, source="canonical").quarantined_by_reason) == ({} if taken else {"price_unreadable": 1})


def test_a_line_of_json_that_is_no_object(take: Any, tmp_path: Path) -> None:
    path = tmp_path / "lists.jsonl"
    path.write_text('{"item_id": "i", "event_type": "view", "occurred_at": "2010-12-01"}\n["i", "view"]\n')
    with pytest.raises(DeliveryError, match=r'in line 2: .* but got ARRAY: \["i","view"\] Mend the file'):
        take(path, source="canonical")


@pytest.mark.parametrize("content", ["a\r\nb\nc\r\n", "a\nb\r\nc\n", "a\nb\rc\n"])
def test_line_ends_of_several_kinds(take: Any, tmp_path: Path, content: str) -> None:
    path = tmp_path / "ends.csv"
    lines = {"a": HEADER.strip(), "b": ROW.strip(), "c": ROW.strip()}
    path.write_bytes("".join(lines.get(sign, sign) for sign in content).encode())
    with pytest.raises(DeliveryError, match=r"ends\.csv cannot be read: .* End all lines alike"):
        take(path, source="canonical")
