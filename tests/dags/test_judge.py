"""The task that judges holds a version against the last report on answers, not against its figures alone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from dags import steps
from features.views import SERVICE
from infra.evaluations import EVALUATION, MEASURES, Evaluation, Measured, save_evaluation
from infra.settings import Settings
from validation.skew_compare import Pair, compare
from validation.skew_report import SkewReport, write_report


@pytest.fixture
def shop(tmp_path: Path, make_settings: Callable[..., Settings]) -> Settings:
    """A shop in whose lake version 2 was measured, and is better than the champion."""
    settings = make_settings(tmp_path / "home")
    save_evaluation(settings.lake, Evaluation("e1", "fresh", measured(2, 0.4), measured(1, 0.3), ()))
    return settings


def measured(version: int, value: float) -> Measured:
    """The same figure at every moment, each of another user."""
    moments = [f"m{number:03}" for number in range(300)]
    columns = dict.fromkeys(MEASURES, np.full(len(moments), value))
    return Measured("dien", version, pa.table({"moment_id": moments, "user_id": moments, **columns}, EVALUATION))


def report(shop: Settings, served: int) -> None:
    """Write that of a day's answers one value was compared, of which the lake says 1."""
    moment = datetime(2010, 12, 10, 9, tzinfo=UTC)
    features = compare([Pair("u1", moment, {"purchase_count_7d": served}, [{"purchase_count_7d": 1}])])
    made = SkewReport(
        day=moment.date(), made_at=moment, feature_service=SERVICE, samples=1, compared=1, behind=0, unseen=0,
        explained={}, values=1, different=features[0].different, limit=0.0, features=features,
    )  # fmt: skip
    write_report(shop.lake, made)


def test_while_answers_are_not_what_the_lake_says_nothing_is_promoted(shop: Settings) -> None:
    challenged = {"version": 2, "evaluation": "e1"}
    assert steps.judge(shop, challenged)["outcome"] == "promoted"
    report(shop, served=2)
    verdict = steps.judge(shop, challenged)
    assert verdict["outcome"] == "rejected"
    assert [rule["name"] for rule in verdict["rules"] if not rule["passed"]] == ["consistent"]
    assert "purchase_count_7d (1)" in verdict["reason"]
    report(shop, served=1)
    assert steps.judge(shop, challenged)["outcome"] == "promoted"
