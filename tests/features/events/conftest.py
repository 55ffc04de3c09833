"""A small shop: settings whose clock stands still, Online Retail files of a few lines, a till that is a database."""

from __future__ import annotations

import csv
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.events.ingest import ingest
from features.events.log import event_files
from features.events.manifest import Manifest
from features.events.publish import publish
from features.events.schema import EVENT
from infra.partitions import Span
from infra.settings import Settings

NOW = datetime(2010, 12, 10, 1, tzinfo=UTC)
DAY = date(2010, 12, 1)

RETAIL = {
    "Invoice": "536365",
    "StockCode": "85123A",
    "Description": "WHITE HANGING HEART T-LIGHT HOLDER",
    "Quantity": "6",
    "InvoiceDate": "2010-12-01 08:26:00",
    "Price": "2.55",
    "Customer ID": "17850",
    "Country": "United Kingdom",
}

Line = dict[str, str]
Take = Callable[..., Manifest]


@pytest.fixture
def shop(tmp_path: Path, make_settings: Callable[..., Settings]) -> Settings:
    """Settings whose clock stands at 2010-12-10 01:00 UTC."""
    return make_settings(tmp_path / "home", clock=NOW.isoformat())


@pytest.fixture
def line() -> Callable[..., Line]:
    """One line of an Online Retail file: ``line(Price="0", customer="")`` (customer: the column Customer ID)."""

    def make(**cells: str) -> Line:
        renamed = {{"customer": "Customer ID"}.get(name, name): value for name, value in cells.items()}
        return {**RETAIL, **renamed}

    return make


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write lines as CSV: ``write("a.csv", [line(), line(...)])``; the path."""

    def make(name: str, lines: Sequence[Line], folder: Path | None = None) -> Path:
        path = (folder or tmp_path / "files") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, list(dict.fromkeys(name for line in lines for name in line)))
            writer.writeheader()
            writer.writerows(lines)
        return path

    return make


@pytest.fixture
def take(shop: Settings) -> Take:
    """Ingest files for one day (or ``span``) of Online Retail (or ``source``) and, by default, publish them; into
    ``shop``, or another one.
    """
    usual = shop

    def make(*files: Path, span: Span | None = None, source: str = "online-retail", **more: Any) -> Manifest:
        published, shop = more.pop("published", True), more.pop("shop", usual)
        keywords = {"bulk": False, "delivered_at": NOW, **more}
        manifest = ingest(shop, source, files, span or Span.of_day(DAY), **keywords)
        if published:
            publish(shop, [manifest.delivery_id], gated=False)
        return manifest

    return make


@pytest.fixture
def read(shop: Settings) -> Callable[..., list[dict[str, Any]]]:
    """Published events of a span of closed days, in order."""

    def make(span: Span | None = None) -> list[dict[str, Any]]:
        files = event_files(shop.lake, span or Span.of_day(DAY))
        tables = [pq.ParquetFile(path).read() for path in files]
        assert all(table.schema == EVENT for table in tables)
        rows: list[dict[str, Any]] = pa.concat_tables(tables).to_pylist()
        return rows

    return make


@pytest.fixture
def contents() -> Callable[[Path], dict[str, bytes]]:
    """Every file below a folder, by relative path, with its bytes."""

    def make(folder: Path) -> dict[str, bytes]:
        return {
            str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
        }

    return make


@pytest.fixture
def age() -> Callable[..., None]:
    """Let files and everything below folders look as if they were last touched so many hours ago."""

    def make(*paths: Path, hours: float = 25) -> None:
        then = datetime.now(UTC).timestamp() - hours * 3600
        for path in paths:
            for one in [*path.rglob("*"), path]:
                os.utime(one, (then, then))

    return make


@pytest.fixture
def kill_everywhere(
    shop: Settings, contents: Callable[[Path], dict[str, bytes]], dies: Callable[..., bool], tmp_path: Path
) -> Callable[..., int]:
    """Do some work with the lake as it is now, killed at its first change, its second, …, each time from anew.

    After each kill ``whole`` is called; then the work is done again and must leave what it leaves unkilled.
    Returns the number of steps.
    """

    def seen() -> dict[str, bytes]:
        """Without what was written aside or spilled: no reader looks at either."""
        found = {name: content for name, content in contents(shop.lake.root).items() if not name.startswith("spill/")}
        return {name: content for name, content in found.items() if "/." not in f"/{name}"}

    def make(work: Callable[[], object], whole: Callable[[], object]) -> int:
        before = tmp_path / "before"
        shop.lake.root.mkdir(parents=True, exist_ok=True)
        shutil.copytree(shop.lake.root, before)
        work()
        wanted = contents(shop.lake.root)
        work()
        assert contents(shop.lake.root) == wanted
        step, died = 0, True
        while died:
            step += 1
            shutil.rmtree(shop.lake.root)
            shutil.copytree(before, shop.lake.root)
            died = dies(step, work)
            whole()
            work()
            assert seen() == wanted, f"killed at step {step}"
        return step

    return make


@pytest.fixture
def till(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A database with the empty table ``clicks``."""
    with closing(sqlite3.connect(tmp_path / "till.db")) as connection:
        connection.execute(
            "CREATE TABLE clicks (id INTEGER PRIMARY KEY, event_id TEXT, user_id TEXT, item_id TEXT, "
            "event_type TEXT, occurred_at TEXT, changed TEXT, extra BLOB)"
        )
        yield connection


@pytest.fixture
def ask(tmp_path: Path, make_settings: Callable[..., Settings]) -> Callable[..., Settings]:
    """Settings of one home that read that table; keywords override them."""

    def make(**overrides: Any) -> Settings:
        asked = {"sql_url": f"sqlite:///{tmp_path / 'till.db'}", "sql_query": "clicks", "sql_watermark": "id"}
        given = {"clock": "2010-12-10T01:00:00+00:00", "source": "canonical", **asked, **overrides}
        return make_settings(tmp_path / "home", **given)

    return make


@pytest.fixture
def click(till: sqlite3.Connection) -> Callable[..., None]:
    """Add and commit a row: ``click(1, "2010-12-01 09:00", user_id="u")`` (the id, the time, other cells)."""

    def make(number: int, moment: str = "2010-12-01 09:00", **cells: Any) -> None:
        said = {"event_id": f"e{number}", "item_id": "i", "event_type": "view", "occurred_at": moment, **cells}
        till.execute(
            f"INSERT INTO clicks (id, {', '.join(said)}) VALUES (?{', ?' * len(said)})", [number, *said.values()]
        )
        till.commit()

    return make
