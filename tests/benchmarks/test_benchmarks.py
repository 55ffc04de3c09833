"""Every benchmark runs on next to nothing: a renamed column is found here, not by its reader. None asks for a time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from results import Result

from tests.benchmarks import __main__ as bench

#: Those that start servers of their own.
WITH_SERVERS = ("materialise", "lookup")
pytestmark = [pytest.mark.thorough, pytest.mark.timeout(600)]


def marked(name: str) -> object:
    return pytest.param(name, marks=pytest.mark.integration) if name in WITH_SERVERS else name


@pytest.mark.parametrize("name", [marked(name) for name in bench.BENCHMARKS])
def test_it_runs_on_next_to_nothing(name: str, tmp_path: Path) -> None:
    bench.main([name, "--size", "tiny", "--out", str(tmp_path)])
    found = [Result.read(entry) for entry in json.loads((tmp_path / "benchmarks.json").read_text())]
    assert found
    for one in found:
        assert one.benchmark == name
        assert one.ours > 0
        assert one.data
        assert one.machine
        assert "python" in one.versions
        assert (one.peer is None) == (not one.against)
        assert one.peer is None or one.peer > 0
    assert (tmp_path / "benchmarks.md").read_text().count("\n## ") == 1
