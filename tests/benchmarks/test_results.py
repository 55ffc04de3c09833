"""One form of result, merged by name into a file; the page is what that file says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from page import page
from results import RATES, Result

from tests.benchmarks.__main__ import BENCHMARKS, DOCS, HERE, keep, main


def one(name: str, ours: float = 2.0, benchmark: str = "windows", **more: object) -> Result:
    return Result(benchmark, name, ours, str(more.pop("unit", "s")), "some rows", **more)  # type: ignore[arg-type]


def kept(folder: Path) -> dict[str, float]:
    return {entry["name"]: entry["ours"] for entry in json.loads((folder / "benchmarks.json").read_text())}


def test_the_page_is_what_the_file_says() -> None:
    found = [Result.read(entry) for entry in json.loads((DOCS / "benchmarks.json").read_text())]
    assert (DOCS / "benchmarks.md").read_text() == page(found)
    assert {result.benchmark for result in found} <= set(BENCHMARKS)
    assert len({result.name for result in found}) == len(found)


def test_every_benchmark_is_a_script_that_says_what_it_does() -> None:
    for name in BENCHMARKS:
        text = (HERE / f"{name}_speed.py").read_text()
        assert text.startswith('"""')
        assert f"python tests/benchmarks/{name}_speed.py" in text


def test_a_ratio_says_how_many_times_better_ours_is() -> None:
    assert one("seconds", ours=2.0, peer=5.0).ratio == 2.5
    assert one("a rate", ours=5.0, peer=2.0, unit=RATES[0]).ratio == 2.5
    assert one("alone").ratio is None


def test_what_one_benchmark_finds_leaves_the_others_alone(tmp_path: Path) -> None:
    keep(tmp_path, [one("a"), one("b"), one("c", benchmark="lookup")])
    keep(tmp_path, [one("b", ours=3.0), one("d", benchmark="year")])
    assert kept(tmp_path) == {"a": 2.0, "b": 3.0, "d": 2.0, "c": 2.0}  # in the order of the benchmarks


def test_what_no_benchmark_finds_any_more_goes(tmp_path: Path) -> None:
    keep(tmp_path, [one("of a script that was taken away", benchmark="gone"), one("a")])
    assert kept(tmp_path) == {"a": 2.0}


def test_the_page_names_peer_data_versions_and_machine() -> None:
    told = page([
        one("it", peer=5.0, against="pandas", wanted="2 x", also={"peak_mib": 12}, versions={"duckdb": "2"},
            machine="a machine")
    ])  # fmt: skip
    assert "| it | 2.0 s | 5.0 s: pandas | 2.5 | 2 x |" in told
    assert "- Data of all: some rows." in told
    assert "- it, also: peak mib 12." in told
    assert "- With duckdb 2." in told
    assert "- On a machine." in told


def test_a_benchmark_that_does_not_exist_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["speed", "--out", str(tmp_path)])
    assert "there is no benchmark speed; there are windows" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
