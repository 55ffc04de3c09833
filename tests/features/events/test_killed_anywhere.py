"""Kill it anywhere and run it again: no half partition in between, equal bytes in the end."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from features.events.ingest import ingest
from features.events.log import event_files
from features.events.publish import publish
from infra.partitions import Span
from infra.settings import Settings

pytestmark = pytest.mark.thorough

HISTORY = Span(date(2010, 11, 29), date(2010, 12, 1))
DAY = Span.of_day(date(2010, 12, 1))
STEPS = ("replace", "unlink", "rmdir")


class Killed(BaseException):
    """The process is gone: it does not clean up either."""


@contextmanager
def killed_at(step: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """From the ``step``-th change of the file system on, every change fails."""
    calls = [0]

    def dying(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **keywords: Any) -> Any:
            calls[0] += 1
            if calls[0] >= step:
                raise Killed
            return real(*arguments, **keywords)

        return call

    with monkeypatch.context() as patched:
        for name in STEPS:
            patched.setattr(os, name, dying(getattr(os, name)))
        yield calls


def run(shop: Settings, file: Path, span: Span, *, bulk: bool) -> None:
    manifest = ingest(shop, "online-retail", [file], span, bulk=bulk, delivered_at=datetime(2010, 12, 5, tzinfo=UTC))
    publish(shop, [manifest.delivery_id], gated=False)


def seen(lake_files: dict[str, bytes]) -> dict[str, bytes]:
    """Without what was written aside: no reader looks at names that start with a dot."""
    return {
        name: content for name, content in lake_files.items() if not any(p.startswith(".") for p in Path(name).parts)
    }


def whole(shop: Settings) -> None:
    """Every closed partition counts exactly the rows that its readers get."""
    for day in shop.lake.closed_days():
        files = event_files(shop.lake, Span.of_day(day))
        rows = sum(pq.ParquetFile(path).read().num_rows for path in files)
        assert json.loads(shop.lake.partition(day).read_text())["rows"] == rows


@pytest.fixture
def files(write: Any, line: Any) -> tuple[Path, Path]:
    days = ["2010-11-29 09:00:00", "2010-11-30 09:00:00", "bad"]
    history = write("history.csv", [line(Invoice=str(n), InvoiceDate=day) for n, day in enumerate(days)])
    moments = ["2010-11-30 10:00:00", "2010-12-01 10:00:00", "2010-12-02 00:10:00", "2010-12-01 11:00:00"]
    day = write("day.csv", [line(Invoice=f"9{n}", InvoiceDate=moment) for n, moment in enumerate(moments)])
    return history, day


@pytest.mark.parametrize("bulk", [True, False])
def test_every_step(
    shop: Settings, files: tuple[Path, Path], contents: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, bulk: bool
) -> None:
    history, day = files
    if not bulk:
        run(shop, history, HISTORY, bulk=True)
    before = tmp_path / "before"
    shop.lake.root.mkdir(parents=True, exist_ok=True)
    shutil.copytree(shop.lake.root, before)
    work = (history, HISTORY) if bulk else (day, DAY)

    run(shop, *work, bulk=bulk)
    wanted = contents(shop.lake.root)
    run(shop, *work, bulk=bulk)
    assert contents(shop.lake.root) == wanted

    step, died = 0, True
    while died:
        step += 1
        shutil.rmtree(shop.lake.root)
        shutil.copytree(before, shop.lake.root)
        with killed_at(step, monkeypatch):
            try:
                run(shop, *work, bulk=bulk)
                died = False
            except Killed:
                pass
        whole(shop)
        run(shop, *work, bulk=bulk)
        assert seen(contents(shop.lake.root)) == wanted, f"killed at step {step}"
    assert step > 10
