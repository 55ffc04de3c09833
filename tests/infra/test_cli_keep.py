"""``penchant keep`` as a person types it: what would go, what went, and what is wrong."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Engine

from infra.database import server_url
from infra.settings import Settings

pytestmark = pytest.mark.integration

HEADER = "Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Customer ID,Country"
LINE = "536365,85123A,WHITE HANGING HEART,6,2010-12-01 08:26:00,2.55,17850,United Kingdom"

Penchant = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def penchant(services: Settings, database: Engine, tmp_path: Path, typed: Penchant) -> Penchant:
    """Run a command years later on a home of this test's own, with the session's PostgreSQL."""
    return partial(
        typed,
        PENCHANT_HOME=str(tmp_path / "home"),
        PENCHANT_CLOCK="2013-01-01T00:00:00+00:00",
        PENCHANT_POSTGRES_URL=server_url(services).render_as_string(hide_password=False),
    )


@pytest.fixture
def lake(penchant: Penchant, tmp_path: Path) -> Path:
    """A day of two deliveries that were known two years ago; the raw file of the first lies in the landing zone."""
    folder = tmp_path / "home" / "lake" / "landing" / "online-retail" / "dt=2010-12-01"
    folder.mkdir(parents=True)
    (folder / "day.csv").write_text("\n".join([HEADER, LINE, LINE.replace("2.55", "0"), ""]))
    (folder / "_delivery.json").write_text('{"delivered_at": "2010-12-02T00:00:00+00:00"}')
    other = tmp_path / "late.csv"
    other.write_text("\n".join([HEADER, LINE.replace("536365", "536366"), ""]))
    for files in ([], [str(other)]):
        done = penchant("ingest", *files, "--day", "2010-12-01")
        assert done.returncode == 0, done.stderr
    return tmp_path / "home" / "lake"


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_it_says_what_would_go_and_then_what_went(penchant: Penchant, lake: Path) -> None:
    before = contents(lake)
    would = penchant("keep", "--dry-run", "--json")
    assert would.returncode == 0, would.stderr
    expected = json.loads(would.stdout)
    assert contents(lake) == before
    assert (expected["dry_run"], expected["merged"]["files"]) == (True, 2)
    assert (expected["inbox"], expected["served"]) == ({"rows": 0}, {"rows": 0})
    assert {kind: removed["files"] for kind, removed in expected["removed"].items()} == {
        "landing": 1,
        "quarantine": 1,
        "reports": 0,
        "replaced": 0,
        "leftovers": 0,
    }

    done = penchant("keep", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["removed"] == expected["removed"]
    assert found["merged"]["bytes_after"] < found["merged"]["bytes_before"] == expected["merged"]["bytes_before"]
    assert not (lake / "landing" / "online-retail" / "dt=2010-12-01" / "day.csv").exists()
    assert json.loads((lake / "partitions" / "2010-12-01.json").read_text())["rows"] == 2

    again = penchant("keep")
    assert again.returncode == 0, again.stderr
    counts = [line.split()[0] for line in again.stdout.splitlines()[1:]]
    assert (again.stdout.splitlines()[0], counts) == ("Done:", ["0"] * 8)


def test_a_person_reads_what_would_go(penchant: Penchant, lake: Path) -> None:
    would = penchant("keep", "--dry-run")
    assert would.returncode == 0, would.stderr
    assert would.stdout.startswith("Nothing was changed; this would go:\n")
    assert "1  days merged, of 2 files (" in would.stdout
    assert "1  raw files of published deliveries (" in would.stdout


def test_without_postgresql_the_files_are_kept_and_the_rest_is_told(penchant: Penchant, lake: Path) -> None:
    done = penchant("keep", "--json", PENCHANT_POSTGRES_URL="postgresql://nobody:x@127.0.0.1:9")
    assert done.returncode == 1
    found = json.loads(done.stdout)
    assert (found["merged"]["days"], "inbox" in found) == (1, False)
    assert "PostgreSQL at 127.0.0.1:9 does not let us in" in done.stderr
    assert "Traceback" not in done.stderr
    for_ever = {"PENCHANT_KEEP_INBOX_DAYS": "0", "PENCHANT_KEEP_SERVED_DAYS": "0"}
    settled = penchant("keep", PENCHANT_POSTGRES_URL="postgresql://nobody:x@127.0.0.1:9", **for_ever)
    assert settled.returncode == 0, settled.stderr


@pytest.mark.parametrize("name", ["KEEP_LANDING_DAYS", "MERGE_AFTER_DAYS", "REMOVALS_A_RUN"])
def test_a_setting_that_cannot_be_used_exits_2_and_is_named(penchant: Penchant, name: str, tmp_path: Path) -> None:
    done = penchant("keep", **{f"PENCHANT_{name}": "-1"})
    assert (done.returncode, done.stdout) == (2, "")
    assert name.lower() in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "home" / "lake").exists()
