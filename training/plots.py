"""Pictures for a run: how it learned, whether its scores are calibrated, and one user's interests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from features.decay import DAY_US
from features.state import UserState
from infra.pictures import empty_figure
from training.calibration import Calibration

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CATEGORIES: Final = 5
_POINTS: Final = 20  # of each stretch between two moments


def learning_curves(epochs: Sequence[Mapping[str, float]], best_epoch: int) -> Figure:
    """Losses and the validation metric by epoch (from 1), the chosen one marked.

    Args:
        epochs: for each epoch its numbers by name, see ``Fitted.history``.
    """
    figure, (above, below) = _figure("Learning curves", 2)
    for axes, names in ((above, ("loss", "ranking_loss", "auxiliary_loss")), (below, ("validation_ndcg_10",))):
        for name in names:
            axes.plot(range(1, len(epochs) + 1), [epoch[name] for epoch in epochs], marker="o", label=name)
    for axes, label in ((above, "loss"), (below, "validation")):
        axes.axvline(best_epoch, color="0.6", linestyle="--", label="chosen epoch")
        axes.set(xlabel="epoch", ylabel=label)
        axes.legend(frameon=False)
    return figure


def calibration_plot(found: Calibration) -> Figure:
    """Observed against predicted share of the basket, on logarithmic axes; the diagonal is perfect."""
    figure, (axes,) = _figure("Calibration on the validation days", 1)
    ends = [found.predicted.min(), found.predicted.max()]
    axes.plot(ends, ends, color="0.6", linestyle="--", label="perfect")
    shown = found.observed > 0  # a logarithmic axis has no place for none
    axes.plot(found.predicted[shown], found.observed[shown], marker="o", label=f"error {found.error:.2f}")
    axes.set(xscale="log", yscale="log", xlabel="predicted share of the basket", ylabel="observed share")
    axes.legend(frameon=False)
    return figure


def interest_plot(states: Sequence[UserState], half_life_days: int) -> Figure:
    """How one user's interest in the strongest categories rose and faded; arguments as of ``interest_curve``."""
    figure, (axes,) = _figure(f"Interests of user {states[0].user_id}", 1)
    days, strengths = interest_curve(states, half_life_days)
    strongest = sorted(strengths, key=lambda name: (-strengths[name].max(), name))[:CATEGORIES]
    for name in strongest:
        axes.plot(days, strengths[name], label=name or "(none)")
    axes.set(xlabel="days before the last moment", ylabel=f"strength, half-life {half_life_days} days")
    axes.set_ylim(bottom=0)
    if strongest:
        axes.legend(frameon=False)
    return figure


def interest_curve(
    states: Sequence[UserState], half_life_days: int
) -> tuple[NDArray[np.float64], dict[str, NDArray[np.float64]]]:
    """The strength of each category between a user's moments.

    Args:
        states: of one user, in order of time, at least one.
        half_life_days: one of the states' half-lives.

    Returns:
        days relative to the last moment, n of them, and n strengths per category. Between two
        events a strength only fades, so each stretch follows from the state at its end.
    """
    moments: list[int] = []
    strengths: dict[str, dict[int, float]] = {}
    for state in states:
        known_since = state.interest.as_of_us if state.interest.categories else state.moment_us
        start = min(max(known_since, moments[-1] + 1 if moments else 0), state.moment_us)
        for moment in np.linspace(start, state.moment_us, _POINTS, dtype=np.int64).tolist():
            at = state.interest.at(moment, state.half_life_days)[:, state.half_life_days.index(half_life_days)]
            for category, strength in zip(state.interest.categories, at.tolist(), strict=True):
                strengths.setdefault(category, {})[len(moments)] = strength
            moments.append(moment)
    days = (np.array(moments) - moments[-1]) / DAY_US
    found = {name: np.zeros(len(moments)) for name in strengths}
    for name, by_place in strengths.items():
        found[name][list(by_place)] = list(by_place.values())
    return days, found


def _figure(title: str, rows: int) -> tuple[Figure, list[Any]]:
    figure, axes = empty_figure(8, 4.2 * rows, rows)
    figure.suptitle(title)
    return figure, axes
