"""The report on one day's answers: what it says, what it refuses, and which one the gate reads."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from infra.errors import SkewError
from infra.lake import Lake, read_json
from validation.skew_compare import Pair, compare
from validation.skew_report import Explained, SkewReport, last_report, report_of, write_report

DAY = date(2010, 12, 10)
MOMENT = datetime(2010, 12, 10, 9, tzinfo=UTC)


def report(served: dict[str, Any], expected: dict[str, Any], **changed: Any) -> SkewReport:
    features = compare([Pair("u1", MOMENT, served, [expected])])
    counted = {"values": sum(one.compared for one in features), "different": sum(one.different for one in features)}
    told: dict[str, Any] = {
        "day": DAY, "made_at": MOMENT, "feature_service": "interest_v1", "samples": 1, "compared": 1, "behind": 0,
        "unseen": 0, "explained": {}, "limit": 0.0, "features": features, **counted,
    }  # fmt: skip
    return SkewReport(**{**told, **changed})


GOOD = report({"a": 1, "b": 2}, {"a": 1, "b": 2})
BAD = report({"a": 1, "b": 2}, {"a": 1, "b": 5})


def test_one_value_is_enough_unless_more_may_differ() -> None:
    assert not GOOD.skewed
    assert BAD.skewed
    assert (BAD.share, report({"a": 1, "b": 2}, {"a": 1, "b": 5}, limit=0.5).skewed) == (0.5, False)
    assert report({"a": 1, "b": 2}, {"a": 1, "b": 5}, limit=0.49).skewed


def test_it_says_what_differs_and_how_often() -> None:
    assert GOOD.said == "2010-12-10: 2 values of 1 answer compared, all as the lake says."
    assert BAD.said == "2010-12-10: 2 values of 1 answer compared, 1 differ: b (1)."
    many = report({f"f{n}": 1 for n in range(7)}, {f"f{n}": 2 for n in range(7)})
    assert many.said.endswith("f0 (1), f1 (1), f2 (1), f3 (1), f4 (1) and 2 more features.")
    nothing = report({}, {}, samples=3, compared=0)
    assert (nothing.said, nothing.skewed) == ("2010-12-10: nothing compared; kept: 3 answers.", False)


def test_a_skewed_day_names_features_and_page(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    GOOD.insist(lake)
    with pytest.raises(SkewError, match=r"b \(1\)") as refused:
        BAD.insist(lake)
    assert str(tmp_path / "reports" / "skew" / "2010-12-10.md") in refused.value.mend


def test_figures_and_page_lie_in_the_lake(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    found = report({"a": "x|y", "b": 2.5}, {"a": "z", "b": 2.0}, explained={"told": Explained(answers=2, different=7)})
    write_report(lake, found)
    content = read_json(lake.skew(DAY))
    assert (content["skewed"], content["share"]) == (True, 1.0)
    assert report_of(content) == found
    json.dumps(content, allow_nan=False)
    page = lake.skew(DAY).with_suffix(".md").read_text(encoding="utf-8")
    assert "| b | 1 | 1 | 0.5 | 0.2 | u1, 2010-12-10T09:00:00+00:00 | 2.5 | 2.0 |" in page
    assert "| x\\|y | z |" in page
    assert "- left out, told: 2 answers, of whose values 7 differ: the answer saw an event" in page


def test_the_gate_reads_the_last_day_on_which_something_was_compared(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    assert last_report(lake, "interest_v1") is None
    days = [date(2010, 12, day) for day in (8, 9, 10)]
    for found in (BAD, GOOD, report({}, {}, compared=0)):
        write_report(lake, found.model_copy(update={"day": days.pop(0)}))
    read = last_report(lake, "interest_v1")
    assert read is not None
    assert (read.day, read.skewed) == (date(2010, 12, 9), False)
    assert last_report(lake, "interest_v2") is None
