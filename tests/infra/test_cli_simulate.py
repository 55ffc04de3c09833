"""``penchant simulate`` as a person types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from infra.cli.main import build
from infra.errors import SettingsError

pytestmark = pytest.mark.thorough  # imports of seconds

SMALL = ("--users", "20", "--items", "30", "--days", "3")


def test_a_small_shop(tmp_path: Path) -> None:
    done = CliRunner().invoke(build(), ["simulate", str(tmp_path / "shop"), *SMALL, "--start", "2024-02-28", "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["users"] == 20
    found = sorted(path.name for path in (tmp_path / "shop" / "log").iterdir())
    assert found == ["dt=2024-02-28", "dt=2024-02-29", "dt=2024-03-01", "items.parquet"]
    assert json.loads((tmp_path / "shop" / "truth" / "shop.json").read_text())["synthetic"] is True


def test_as_many_events_as_are_asked_for(tmp_path: Path) -> None:
    done = CliRunner().invoke(build(), ["simulate", str(tmp_path / "shop"), *SMALL, "--events", "3000"])
    assert done.exit_code == 0, done.output
    assert "penchant ingest" in done.stdout


@pytest.mark.parametrize(
    ("sizes", "said"),
    [
        (("--items", "5"), "every category needs an item"),
        (("--days", "5000"), "days: Input should be less than or equal to 800"),
        (("--events", "1000000000000"), "interests_per_month: Input should be less than or equal to 1000"),
    ],
)
def test_sizes_that_cannot_be_are_refused(tmp_path: Path, sizes: tuple[str, ...], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        CliRunner().invoke(
            build(), ["simulate", str(tmp_path / "shop"), *sizes], catch_exceptions=False, standalone_mode=False
        )
    assert not list(tmp_path.iterdir())
