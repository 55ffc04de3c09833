"""Whether a challenger may serve: judged on fresh days that no model learned from or was chosen by.

It wins only if NDCG@10 is better, beyond doubt, than the champion's and than every baseline's named:
the lower 95 % bound of the mean difference over the same moments lies above ``min_improvement``. It wins
nothing while answers are known to be made from other values than it learned from (``validation.skew``).
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from infra.errors import RegistryError
from infra.evaluations import EVALUATED_USER, MEASURES, MOMENT_ID, NDCG_10, Evaluation, Measured
from infra.intervals import Interval, mean_interval, mean_intervals
from infra.settings import Settings
from validation.skew_report import SkewReport
from validation.verdict import Comparison, Rule, Verdict


def judge(evaluation: Evaluation, settings: Settings, skew: SkewReport | None = None) -> Verdict:
    """Judge a challenger; a baseline that is the champion is compared once.

    Args:
        evaluation: figures per moment of challenger, champion and baselines.
        settings: ``min_improvement``, ``min_fresh_moments``, ``min_fresh_users``.
        skew: the last report on answers beside the lake; None: nothing was measured, which is no refusal.

    Raises:
        RegistryError: the challenger has no version, or the tables are not about the same moments.
    """
    challenger = evaluation.challenger
    if challenger.version is None:
        raise RegistryError(f"{challenger.model} is not registered.", "Only a version can be judged.")
    rivals = _rivals(evaluation)
    ours = challenger.moments.sort_by(MOMENT_ID)
    users = ours[EVALUATED_USER].to_numpy(zero_copy_only=False)
    for _, rival in rivals:
        _require_same(challenger, rival)
    comparisons = tuple(_compare(role, ours, rival, users) for role, rival in rivals) if len(users) else ()
    rules = (
        _enough("enough_moments", "moments", len(users), settings.min_fresh_moments),
        _enough("enough_users", "users", len(set(users)), settings.min_fresh_users),
        *(_beats(comparison, settings.min_improvement) for comparison in comparisons),
        _consistent(skew, settings.skew_limit),
    )
    passed = bool(comparisons) and all(rule.passed for rule in rules)
    figures = _figures(ours, users)
    return Verdict(
        outcome="promoted" if passed else "rejected",
        reason=_reason(challenger.label, figures, (len(users), len(set(users))), rules, passed),
        model=challenger.model,
        version=challenger.version,
        champion_version=evaluation.champion.version if evaluation.champion else None,
        evaluation_id=evaluation.id,
        moments=len(users),
        users=len(set(users)),
        figures=figures,
        comparisons=comparisons,
        rules=rules,
    )


def _rivals(evaluation: Evaluation) -> list[tuple[str, Measured]]:
    """Champion first; nobody twice, and never the challenger itself."""
    champion = [("champion", evaluation.champion)] if evaluation.champion else []
    first: dict[str, tuple[str, Measured]] = {}
    for role, rival in [*champion, *(("baseline", baseline) for baseline in evaluation.baselines)]:
        if rival.label != evaluation.challenger.label:
            first.setdefault(rival.label, (role, rival))
    return list(first.values())


def _require_same(ours: Measured, theirs: Measured) -> None:
    if set(ours.moments[MOMENT_ID].to_pylist()) != set(theirs.moments[MOMENT_ID].to_pylist()):
        raise RegistryError(
            f"{ours.label} and {theirs.label} were measured on different moments.", "Evaluate them again, together."
        )


def _compare(role: str, ours: pa.Table, rival: Measured, users: np.ndarray) -> Comparison:
    theirs = rival.moments.sort_by(MOMENT_ID)
    difference = ours[NDCG_10].to_numpy() - theirs[NDCG_10].to_numpy()
    return Comparison(role, rival.model, rival.version, _figures(theirs, users), mean_interval(difference, users))


def _figures(table: pa.Table, users: np.ndarray) -> dict[str, Interval]:
    if not len(users):
        return {}
    return mean_intervals({measure: table[measure].to_numpy() for measure in MEASURES}, users)


def _enough(name: str, what: str, count: int, bound: int) -> Rule:
    passed = count >= bound
    why = f"{count} fresh {what}, at least {bound} are asked for"
    return Rule(name, passed, count, bound, why if passed else f"only {why}: too few to tell")


def _beats(comparison: Comparison, bound: float) -> Rule:
    gap, theirs = comparison.difference, comparison.figures[NDCG_10].value
    passed = gap.low > bound
    if passed:
        words = "beats"
    elif gap.high < bound:
        words = "is worse than" if gap.high < 0 else "gains too little over"
    else:
        words = "is not surely better than"
    asked = f"; the lower bound must lie above {bound:g}" if not passed else ""
    interval = f"95 % interval {gap.low:+.3f} to {gap.high:+.3f}"
    why = f"{words} {comparison.label} ({theirs:.3f}): difference {gap.value:+.3f}, {interval}{asked}"
    name = "champion" if comparison.role == "champion" else comparison.model
    return Rule(f"beats_{name}", passed, gap.low, bound, why)


def _consistent(skew: SkewReport | None, limit: float) -> Rule:
    if skew is None:
        return Rule("consistent", True, 0.0, limit, "not measured: no answers were compared with the lake yet")
    why = "answers are made from what the lake says" if not skew.skewed else "answers are not what the lake says"
    return Rule("consistent", not skew.skewed, skew.share, skew.limit, f"{why}: {skew.said}")


def _reason(
    name: str, figures: dict[str, Interval], counts: tuple[int, int], rules: tuple[Rule, ...], passed: bool
) -> str:
    """One sentence for a person: what decided; in full about the rival that it came nearest to losing to."""
    short = [rule.why for rule in rules if not rule.passed and rule.name.startswith("enough_")]
    compared = sorted((rule for rule in rules if rule.name.startswith("beats_")), key=lambda rule: rule.observed)
    skewed = [rule.why for rule in rules if not rule.passed and rule.name == "consistent"]
    if skewed:
        return f"{name} cannot be promoted: {skewed[0]}"
    if short:
        return f"{name} cannot be judged: {' and '.join(short)}."
    if not compared:
        return f"{name} cannot be judged: there is nothing to compare it with."
    nearest, *others = [rule for rule in compared if rule.passed == passed]
    named = ", ".join(rule.name.removeprefix("beats_") for rule in others)
    also = f"; {'it beats' if passed else 'nor does it surely beat'} {named}" if others else ""
    figure, (moments, users) = figures[NDCG_10].value, counts
    return f"{name}, NDCG@10 {figure:.3f} on {moments} fresh moments of {users} users, {nearest.why}{also}."
