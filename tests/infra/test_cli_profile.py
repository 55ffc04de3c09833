"""``penchant profile`` as a person types it, on a lake that no server is needed for."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

pytestmark = pytest.mark.thorough  # seconds in sum

HEADER = "item_id,event_type,occurred_at"
LINE = "i1,view,2010-12-01 08:26:00"


Penchant = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def penchant(home: Path, typed: Penchant) -> Penchant:
    return partial(typed, **at(home))


def at(home: Path) -> dict[str, str]:
    """No server is needed."""
    return {
        "PENCHANT_HOME": str(home),
        "PENCHANT_CLOCK": "2010-12-10T01:00:00+00:00",
        "PENCHANT_POSTGRES_URL": "postgresql://nobody:x@127.0.0.1:9",
    }


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, typed: Penchant) -> Path:
    """2010-12-01 with an event and 2010-12-02 without any are closed."""
    folder = tmp_path_factory.mktemp("profile")
    log = folder / "log.csv"
    log.write_text(f"{HEADER}\n{LINE}\n")
    days = ("--start", "2010-12-01", "--end", "2010-12-03")
    done = typed("ingest", str(log), "--source", "canonical", *days, **at(folder / "home"))
    assert done.returncode == 0, done.stderr
    return folder / "home"


@pytest.mark.parametrize(
    ("days", "name"),
    [
        ("2010-12-01", "2010-12-01"),
        ("2010-12-01..2010-12-02", "2010-12-01"),
        ("2010-12-01..2010-12-03", "2010-12-01..2010-12-03"),
    ],
)
def test_the_page_lies_in_the_lake_and_its_path_is_said(penchant: Penchant, home: Path, days: str, name: str) -> None:
    done = penchant("profile", days)
    assert (done.returncode, done.stderr) == (0, "")
    page = home / "lake" / "reports" / "profile" / f"{name}.html"
    assert Path(done.stdout.strip()) == page
    assert "<!DOCTYPE html>" in page.read_text(encoding="utf-8")
    assert [path.name for path in page.parent.iterdir() if path.name.startswith(".")] == []


def test_the_figures_as_json_and_the_page_where_it_is_wanted(penchant: Penchant, home: Path, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "page.html"
    done = penchant("profile", "2010-12-01..2010-12-03", "--out", str(out), "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["rows"], found["page"], found["mix"]) == (1, str(out), {"2010-12-01": {"view": 1}})
    assert [(day["day"], day["closed"]) for day in found["course"]] == [("2010-12-01", "rows"), ("2010-12-02", "empty")]
    first = out.read_bytes()
    assert penchant("profile", "2010-12-01..2010-12-03", "--out", str(out)).returncode == 0
    assert out.read_bytes() == first


@pytest.mark.parametrize(
    ("days", "code", "said"),
    [
        ("2010-12-03", 1, "not closed: 2010-12-03"),
        ("2010-12-01..2010-12-05", 1, "2 of the 4 days 2010-12-01..2010-12-05 are not closed"),
        ("2010-12-03..2010-12-01", 2, "ends before it starts"),
        ("2010-12-01..2010-12-01", 2, "holds no day"),
        ("2010-12-01..", 2, "neither a day nor a span"),
        ("yesterday", 2, "neither a day nor a span"),
    ],
)
def test_days_that_cannot_be_profiled_are_told_in_a_sentence(
    penchant: Penchant, tmp_path: Path, days: str, code: int, said: str
) -> None:
    out = tmp_path / "page.html"
    done = penchant("profile", days, "--out", str(out))
    assert (done.returncode, done.stdout) == (code, "")
    assert said in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert not out.exists()


def test_a_path_that_cannot_be_written_is_told_with_nothing_left(
    penchant: Penchant, home: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    done = penchant("profile", "2010-12-01", "--out", str(tmp_path / "file" / "page.html"))
    assert (done.returncode, done.stdout) == (1, "")
    assert f"{tmp_path / 'file' / 'page.html'} cannot be written" in done.stderr
    assert "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_folder_is_not_replaced_by_a_page(penchant: Penchant, home: Path, tmp_path: Path) -> None:
    (tmp_path / "kept.txt").touch()
    done = penchant("profile", "2010-12-01", "--out", str(tmp_path))
    assert (done.returncode, done.stdout) == (2, "")
    assert "is a folder" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["kept.txt"]
