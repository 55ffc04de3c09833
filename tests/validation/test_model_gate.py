"""The model gate on planted evaluations: winner, loser, tie, too little to tell."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from infra.errors import RegistryError
from infra.evaluations import EVALUATION, MEASURES, Evaluation, Measured, load_evaluation, save_evaluation
from infra.lake import Lake
from infra.settings import Settings
from validation.model_gate import judge
from validation.skew_compare import Pair, compare
from validation.skew_report import SkewReport

MOMENTS, USERS = 400, 250


def measured(
    model: str, version: int | None, gain: float = 0.0, moments: int = MOMENTS, noise: float = 0.05
) -> Measured:
    """Figures around .3 with a common part a moment and a noise of each version's own."""
    common = np.random.default_rng(1).beta(2, 4, moments)
    own = np.random.default_rng((version or 0) + 10).normal(gain, noise, moments)
    values = np.clip(common + own, 0, 1)
    columns = {
        "moment_id": [f"m{number:04}" for number in range(moments)],
        "user_id": [f"u{number % USERS:03}" for number in range(moments)],
    }
    return Measured(model, version, pa.table({**columns, **dict.fromkeys(MEASURES, values)}, schema=EVALUATION))


def evaluation(challenger: Measured, champion: Measured | None, *baselines: Measured) -> Evaluation:
    return Evaluation("e1", "fresh", challenger, champion, baselines)


@pytest.fixture
def knobs(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path)


def test_a_clear_winner_is_promoted_with_its_figures(knobs: Settings) -> None:
    verdict = judge(evaluation(measured("dien", 3, 0.04), measured("dien", 1), measured("buy-again", 2)), knobs)

    assert verdict.outcome == "promoted"
    assert [(one.role, one.version) for one in verdict.comparisons] == [("champion", 1), ("baseline", 2)]
    assert all(rule.passed for rule in verdict.rules)
    assert verdict.comparisons[0].difference.low > 0
    assert "beats the champion dien v1" in verdict.reason
    assert verdict.reason.endswith("; it beats buy-again.")
    assert f"{MOMENTS} fresh moments of {USERS} users" in verdict.reason


def test_a_loser_is_rejected_and_told_why(knobs: Settings) -> None:
    verdict = judge(evaluation(measured("dien", 2, -0.05), measured("buy-again", 1)), knobs)

    assert verdict.outcome == "rejected"
    assert "is worse than the champion buy-again v1" in verdict.reason
    assert "95 % interval" in verdict.reason


def test_a_tie_is_not_a_win(knobs: Settings) -> None:
    verdict = judge(evaluation(measured("dien", 2), measured("buy-again", 1)), knobs)

    assert verdict.outcome == "rejected"
    assert "is not surely better than" in verdict.reason


def test_beating_the_champion_is_not_enough_while_a_baseline_is_better(knobs: Settings) -> None:
    found = evaluation(measured("dien", 3, 0.03), measured("dien", 1), measured("buy-again", 2, 0.06))

    verdict = judge(found, knobs)

    assert verdict.outcome == "rejected"
    assert {rule.name: rule.passed for rule in verdict.rules} == {
        "enough_moments": True,
        "enough_users": True,
        "beats_champion": True,
        "beats_buy-again": False,
        "consistent": True,
    }


def test_every_baseline_counts_and_the_nearest_are_named(knobs: Settings) -> None:
    others = [measured(name, None, gain) for name, gain in (("popular", -0.2), ("recent", -0.1), ("last", -0.15))]

    verdict = judge(evaluation(measured("dien", 2, 0.04), measured("buy-again", 1), *others), knobs)

    assert verdict.promoted
    assert [rule.name for rule in verdict.rules[2:]] == [
        "beats_champion",
        "beats_popular",
        "beats_recent",
        "beats_last",
        "consistent",
    ]
    assert "beats the champion buy-again v1" in verdict.reason
    assert verdict.reason.endswith("; it beats recent, last, popular.")
    better = judge(evaluation(measured("dien", 2, 0.04), *others[:2], measured("last", None, 0.1)), knobs)
    assert better.outcome == "rejected"
    assert "is worse than the baseline last" in better.reason


def test_only_a_version_can_be_judged(knobs: Settings) -> None:
    with pytest.raises(RegistryError, match="dien is not registered"):
        judge(evaluation(measured("dien", None), measured("buy-again", 1)), knobs)


def test_a_win_must_be_as_large_as_asked(knobs: Settings) -> None:
    found = evaluation(measured("dien", 2, 0.02), measured("buy-again", 1))

    assert judge(found, knobs).promoted
    demanding = judge(found, knobs.model_copy(update={"min_improvement": 0.05}))

    assert not demanding.promoted
    assert "gains too little over" in demanding.reason
    assert "must lie above 0.05" in demanding.reason


def test_the_champion_is_not_compared_twice(knobs: Settings) -> None:
    baseline = measured("buy-again", 1)

    verdict = judge(evaluation(measured("dien", 2, 0.04), baseline, baseline), knobs)

    assert [(one.role, one.version) for one in verdict.comparisons] == [("champion", 1)]


@pytest.mark.parametrize("moments", [0, 1, 49])
def test_too_few_moments_win_nothing(knobs: Settings, moments: int) -> None:
    verdict = judge(evaluation(measured("dien", 2, 0.5, moments), measured("buy-again", 1, 0, moments)), knobs)

    assert verdict.outcome == "rejected"
    assert "cannot be judged: only" in verdict.reason
    assert "at least 50" in verdict.reason
    json.dumps(verdict.to_json(), allow_nan=False)


def test_many_moments_of_few_users_win_nothing(knobs: Settings) -> None:
    ours, theirs = measured("dien", 2, 0.3), measured("buy-again", 1)
    users = pa.array([f"u{number % 5}" for number in range(MOMENTS)])
    few = [
        Measured(one.model, one.version, one.moments.set_column(1, EVALUATION.field(1), users))
        for one in (ours, theirs)
    ]

    verdict = judge(evaluation(few[0], few[1]), knobs)

    assert verdict.outcome == "rejected"
    assert "only 5 fresh users" in verdict.reason


def test_without_anything_to_beat_nothing_is_promoted(knobs: Settings) -> None:
    verdict = judge(evaluation(measured("dien", 1), None), knobs)

    assert verdict.outcome == "rejected"
    assert "nothing to compare" in verdict.reason


def test_tables_over_different_moments_are_refused(knobs: Settings) -> None:
    with pytest.raises(RegistryError, match="different moments"):
        judge(evaluation(measured("dien", 2), measured("buy-again", 1, moments=300)), knobs)


def test_rows_are_paired_by_moment_not_by_place(knobs: Settings) -> None:
    ours, theirs = measured("dien", 2, 0.04), measured("buy-again", 1)
    turned = Measured(theirs.model, theirs.version, theirs.moments.take(pa.array(range(MOMENTS)[::-1])))

    assert judge(evaluation(ours, turned), knobs) == judge(evaluation(ours, theirs), knobs)


def test_the_same_evaluation_gives_the_same_verdict_after_the_lake(knobs: Settings, tmp_path: Path) -> None:
    found = evaluation(measured("dien", 3, 0.01), measured("dien", 1), measured("buy-again", 2), measured("pop", None))
    lake = Lake(tmp_path / "lake")

    save_evaluation(lake, found)

    assert judge(load_evaluation(lake, "e1"), knobs).to_json() == judge(found, knobs).to_json()
    with pytest.raises(RegistryError, match="no evaluation e2"):
        load_evaluation(lake, "e2")


def skew_of(served: int, limit: float = 0.0) -> SkewReport:
    """A report on one answer that knew ``served`` views, where the lake says 1."""
    moment = datetime(2010, 12, 10, tzinfo=UTC)
    features = compare([Pair("u1", moment, {"view_count_7d": served}, [{"view_count_7d": 1}])])
    counts = dict.fromkeys(("samples", "compared", "values"), 1) | dict.fromkeys(("behind", "unseen"), 0)
    told = {"day": moment.date(), "made_at": moment, "feature_service": "interest_v1", "explained": {}, "limit": limit}
    return SkewReport(**counts, **told, different=features[0].different, features=features)


def test_while_answers_are_not_what_the_lake_says_nothing_is_promoted(knobs: Settings) -> None:
    found = evaluation(measured("dien", 3, 0.04), measured("dien", 1))

    verdict = judge(found, knobs, skew_of(2))

    assert verdict.outcome == "rejected"
    assert [rule.name for rule in verdict.rules if not rule.passed] == ["consistent"]
    assert verdict.reason == (
        "dien v3 cannot be promoted: answers are not what the lake says: "
        "2010-12-10: 1 value of 1 answer compared, 1 differ: view_count_7d (1)."
    )
    assert judge(found, knobs, skew_of(1)).promoted


def test_what_was_never_measured_refuses_nobody_and_is_told(knobs: Settings) -> None:
    verdict = judge(evaluation(measured("dien", 3, 0.04), measured("dien", 1)), knobs)

    assert verdict.promoted
    assert verdict.rules[-1].why.startswith("not measured: ")
