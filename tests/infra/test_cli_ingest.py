"""``penchant ingest`` and ``penchant skip`` as a person types them: counts, messages, exit codes."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Engine

from infra.database import server_url
from infra.settings import Settings

pytestmark = pytest.mark.integration

HEADER = "Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Customer ID,Country"
LINE = "536365,85123A,WHITE HANGING HEART,6,2010-12-01 08:26:00,2.55,17850,United Kingdom"
BAD = "536366,85123A,WHITE HANGING HEART,6,2010-12-01 08:30:00,0,17850,United Kingdom"

Penchant = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def penchant(services: Settings, database: Engine, tmp_path: Path, typed: Penchant) -> Penchant:
    """Run a command on a home of this test's own, with the session's PostgreSQL."""
    return partial(
        typed,
        PENCHANT_HOME=str(tmp_path / "home"),
        PENCHANT_CLOCK="2010-12-10T01:00:00+00:00",
        PENCHANT_POSTGRES_URL=server_url(services).render_as_string(hide_password=False),
    )


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A purchase, the same line again, and one without a price."""
    path = tmp_path / "log.csv"
    path.write_text("\n".join([HEADER, LINE, LINE, BAD, ""]))
    return path


def test_a_file_for_a_day_says_where_every_row_went(penchant: Penchant, log: Path, tmp_path: Path) -> None:
    done = penchant("ingest", str(log), "--day", "2010-12-01", "--json")
    assert done.returncode == 0, done.stderr
    (manifest,) = json.loads(done.stdout)
    assert (manifest["rows_in"], manifest["accepted"], manifest["duplicate"], manifest["quarantined"]) == (3, 1, 1, 1)
    assert manifest["quarantined_by_reason"] == {"price_not_positive": 1}
    events = sorted((tmp_path / "home" / "lake" / "events").rglob("*.parquet"))
    assert [path.parent.name for path in events] == ["dt=2010-12-01"]

    before = events[0].read_bytes()
    again = penchant("ingest", str(log), "--day", "2010-12-01")
    assert again.returncode == 0, again.stderr
    assert f"{manifest['delivery_id']} was taken before" in again.stderr
    assert ["1", "price_not_positive"] in [line.split() for line in again.stdout.splitlines()]
    assert events[0].read_bytes() == before


def test_two_who_take_the_same_files_at_once(penchant: Penchant, log: Path, tmp_path: Path) -> None:
    with ThreadPoolExecutor() as pool:
        runs = [pool.submit(penchant, "ingest", str(log), "--json") for _ in range(2)]
    assert [run.result().returncode for run in runs] == [0, 0], [run.result().stderr for run in runs]
    assert len({run.result().stdout for run in runs}) == 1
    assert ["was taken before" in run.result().stderr for run in runs].count(True) == 1


def test_what_cannot_be_read_exits_2_and_leaves_nothing(penchant: Penchant, tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("\n".join([HEADER.replace(",Price", ""), LINE.replace(",2.55", ""), ""]))
    done = penchant("ingest", str(path), "--day", "2010-12-01")
    assert (done.returncode, done.stdout) == (2, "")
    assert "log.csv" in done.stderr
    assert "Price" in done.stderr
    assert not list((tmp_path / "home").rglob("*.parquet"))


@pytest.mark.parametrize(
    "days", [("--start", "2010-12-01"), ("--day", "2010-12-01", "--end", "2010-12-02"), ("--day", "noon")]
)
def test_days_that_are_not_clear_exit_2(penchant: Penchant, log: Path, days: tuple[str, ...]) -> None:
    done = penchant("ingest", str(log), *days)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--day" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["ingest", "skip"])
def test_a_day_that_is_not_over_is_refused(penchant: Penchant, log: Path, command: str, tmp_path: Path) -> None:
    given = {"ingest": [str(log), "--day", "2010-12-10"], "skip": ["2110-12-10", "--reason", "far away"]}
    done = penchant(command, *given[command])
    assert (done.returncode, done.stdout) == (2, "")
    assert "is not over: the shop's clock shows 2010-12-10 01:00" in done.stderr
    assert not list((tmp_path / "home").rglob("*.parquet"))


def test_a_postgresql_that_is_down_is_told_in_a_sentence(penchant: Penchant) -> None:
    missing = penchant("skip", "2010-12-02", "--reason", "the shop lost it")
    assert missing.returncode == 0
    done = penchant("ingest", "--day", "2010-12-02", PENCHANT_POSTGRES_URL="postgresql://nobody:x@127.0.0.1:9")
    assert done.returncode == 1
    assert "PostgreSQL at 127.0.0.1:9 does not let us in" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_day_that_cannot_be_had_is_missed_first_and_released_then(penchant: Penchant, tmp_path: Path) -> None:
    missing = penchant("ingest", "--day", "2010-12-02")
    assert missing.returncode == 2
    assert "penchant skip 2010-12-02" in missing.stderr

    assert penchant("skip", "2010-12-02").returncode == 2  # why is asked for
    released = penchant("skip", "2010-12-02", "--reason", "the shop lost it")
    assert released.returncode == 0, released.stderr
    done = penchant("ingest", "--day", "2010-12-02", "--json")
    assert done.returncode == 0, done.stderr
    assert [manifest["rows_in"] for manifest in json.loads(done.stdout)] == [0]
    closed = json.loads((tmp_path / "home" / "lake" / "partitions" / "2010-12-02.json").read_text())
    assert "the shop lost it" in json.dumps(closed)


def test_history_of_several_files(penchant: Penchant, log: Path, tmp_path: Path) -> None:
    other = tmp_path / "more.csv"
    other.write_text("\n".join([HEADER, LINE.replace("12-01", "12-03"), ""]))
    done = penchant("ingest", str(log), str(other), "--start", "2010-12-01", "--end", "2010-12-04", "--json")
    assert done.returncode == 0, done.stderr
    (manifest,) = json.loads(done.stdout)
    assert (manifest["rows_in"], manifest["accepted"]) == (4, 2)
    partitions = sorted(path.stem for path in (tmp_path / "home" / "lake" / "partitions").glob("*.json"))
    assert partitions == ["2010-12-01", "2010-12-02", "2010-12-03"]
