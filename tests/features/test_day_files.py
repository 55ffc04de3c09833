"""Days are written in groups of rows: equal bytes however the rows came, and all of a file or nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features import day_files, row_groups
from features.day_files import write_days
from features.engine import DAY, connect, table_of
from features.row_groups import write_groups
from infra.errors import LakeError
from infra.settings import Settings

START = date(2010, 3, 1)
DAYS = [START + timedelta(days=number) for number in range(5)]
#: Rows of each day: none, less than a group, exactly two groups, one row more, none.
COUNTS = (0, 3, 14, 15, 0)
SCHEMA = pa.schema([("user_id", pa.string()), ("views", pa.int64()), ("items", pa.list_(pa.string()))])


@pytest.fixture(autouse=True)
def seven_rows_a_group(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_groups, "GROUP_ROWS", 7)


def rows() -> list[dict[str, Any]]:
    return [
        {"day": day, "user_id": f"u{number:02}", "views": number * number, "items": [f"i{number}"] * (number % 4)}
        for day, count in zip(DAYS, COUNTS, strict=True)
        for number in range(count)
    ]


def written(settings: Settings, folder: Path) -> int:
    content = pa.Table.from_pylist(rows()[::-1], pa.schema([(DAY, pa.date32()), *SCHEMA]))
    with connect(settings) as connection:
        return write_days(
            connection, table_of(connection, content), SCHEMA, DAYS, lambda day: folder / f"{day}", ["user_id"]
        )


def test_each_day_holds_its_rows_in_order_and_in_groups(settings: Settings, tmp_path: Path) -> None:
    assert written(settings, tmp_path) == sum(COUNTS)
    for day, count in zip(DAYS, COUNTS, strict=True):
        file = pq.ParquetFile(tmp_path / f"{day}")
        expected = [{name: row[name] for name in SCHEMA.names} for row in rows() if row["day"] == day]
        assert file.read().to_pylist() == expected
        groups = [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)]
        assert groups == [7] * (count // 7) + [count % 7] * (count % 7 > 0) or (count, groups) == (0, [0])


@pytest.mark.parametrize("at_once", [1, 2, 7, 8, 100])
def test_the_bytes_do_not_depend_on_how_the_rows_come(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    written(settings, tmp_path / "plain")

    def cut(connection: Any, expression: Any) -> Iterator[pa.RecordBatch]:
        whole = pa.Table.from_batches(connection.streamed(expression))
        yield from whole.combine_chunks().to_batches(max_chunksize=at_once)

    monkeypatch.setattr(day_files, "batches", cut)
    written(settings, tmp_path / "cut")
    for day in DAYS:
        assert (tmp_path / "cut" / f"{day}").read_bytes() == (tmp_path / "plain" / f"{day}").read_bytes()


def test_rows_that_end_in_an_error_leave_the_file_of_before(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "days"
    written(settings, folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def broken(connection: Any, expression: Any) -> Iterator[pa.RecordBatch]:
        whole = pa.Table.from_batches(connection.streamed(expression)).combine_chunks()
        changed = whole.set_column(whole.column_names.index("views"), "views", pa.array([7] * len(whole)))
        yield from changed.slice(0, 3 + 13).to_batches(max_chunksize=5)  # in the midst of the second file
        raise OSError("the disk is gone")

    monkeypatch.setattr(day_files, "batches", broken)
    with pytest.raises(LakeError, match="the disk is gone"):
        written(settings, folder)
    after = {path.name: path.read_bytes() for path in folder.iterdir()}
    # the first file with rows was finished; the one in the midst of which it broke is what it was
    assert after.keys() == before.keys()
    assert after[f"{DAYS[2]}"] == before[f"{DAYS[2]}"]


def test_a_group_that_cannot_be_written_ends_all(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_arguments: Any) -> pa.Table:
        raise OSError("no room")

    monkeypatch.setattr(row_groups, "_joined", full)
    with pytest.raises(LakeError, match="no room"):
        written(settings, tmp_path / "days")
    # days without rows before it are written by themselves, and nothing half written lies about
    assert [path.name for path in (tmp_path / "days").iterdir() if path.name.startswith(".")] == []


def test_a_checkpoint_is_written_in_groups_too(tmp_path: Path) -> None:
    content = pa.Table.from_pylist(
        [{"user_id": f"u{number}", "views": number, "items": []} for number in range(20)], SCHEMA
    )
    write_groups([content.slice(at, 3) for at in range(0, 20, 3)], SCHEMA, tmp_path / "a")
    write_groups([content], SCHEMA, tmp_path / "b")
    write_groups([], SCHEMA, tmp_path / "none")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert pq.read_table(tmp_path / "a").equals(content)
    assert pq.ParquetFile(tmp_path / "a").num_row_groups == 3
    assert pq.read_table(tmp_path / "none").schema.equals(SCHEMA)
