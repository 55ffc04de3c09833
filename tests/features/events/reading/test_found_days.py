"""The days of a delivery that names none are found in its rows, and what is strange about them is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from infra.errors import DeliveryError

pytestmark = pytest.mark.thorough  # seconds in sum


def test_rows_years_apart_ask_for_the_days(taken: Any, tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    log.write_text("item_id,event_type,occurred_at\na,view,1999-01-01\na,view,2020-01-01\n")
    with pytest.raises(DeliveryError, match="years apart: none between 1999-01-01 and 2020-01-01"):
        taken(log)


def test_strays_months_apart_are_told(taken: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log, rows = tmp_path / "UserBehavior.csv", [f"1,{n},7,pv,{1511600000 + n * 1000}" for n in range(700)]
    strays = [f"1,9,7,pv,{1511600000 - days * 86_400}" for days in (700, 450, 230, 70, 40)]
    log.write_text("\n".join([*rows, *strays]) + "\n")
    manifest = taken(log)
    assert (str(manifest.span), manifest.accepted) == ("2017-11-25..2017-12-04", 700)
    assert "5 rows lie far from them and become late or early rows." in capsys.readouterr().out


def test_strays_years_apart_are_told_and_become_late_or_early_rows(
    taken: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log, rows = tmp_path / "log.csv", [f"i{n},view,2010-11-{1 + n % 9:02}" for n in range(400)]
    strays = ["a,view,2005-07-01", "b,view,2010-09-20", "c,view,2010-12-20"]
    log.write_text("item_id,event_type,occurred_at\n" + "\n".join([*rows, *strays]) + "\n")
    manifest = taken(log)
    assert str(manifest.span) == "2010-11-01..2010-11-10"
    assert (manifest.accepted, manifest.early, manifest.quarantined_by_reason) == (400, 1, {"too_late": 2})
    assert "The days are 2010-11-01 to 2010-11-09; 3 rows lie far from them" in capsys.readouterr().out


def test_a_gap_of_more_than_a_month_is_told(taken: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "log.csv"
    log.write_text("item_id,event_type,occurred_at\na,view,2010-01-01\na,view,2010-11-01\n")
    assert str(taken(log).span) == "2010-01-01..2010-11-02"
    assert "No row lies between 2010-01-01 and 2010-11-01" in capsys.readouterr().out


def test_a_log_without_rows_is_refused(taken: Any, tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    log.write_text("item_id,event_type,occurred_at\n")
    with pytest.raises(DeliveryError, match=r"log\.csv has no rows\. Deliver it again\."):
        taken(log)


def test_a_log_without_a_readable_time_is_refused(taken: Any, tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    log.write_text("item_id,event_type,occurred_at\na,view,yesterday\n")
    with pytest.raises(DeliveryError, match="No time before 2026-01-01 can be read"):
        taken(log)
