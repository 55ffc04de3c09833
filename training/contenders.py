"""The baselines at their best: the validation days choose the numbers of each, as they choose a model's epoch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from training.baselines import (
    BUY_AGAIN,
    LAST_CATEGORY,
    POPULAR,
    RECENT_POPULAR,
    TIE,
    buy_again,
    last_category,
    popular,
    recent_popular,
)
from training.dataset import Dataset, Rows
from training.evaluate import evaluate_all
from training.figures import Figures

#: Numbers of buy-again: days in which a purchase fades by half, and how much recent buyers count.
HALF_LIVES: Final = (30.0, 60.0, 120.0)
POPULARITIES: Final = (TIE, 0.5, 1.0)


@dataclass(frozen=True)
class Contender:
    """A baseline with its numbers."""

    name: str
    numbers: dict[str, float]
    model: Any


def contender(dataset: Dataset, name: str, numbers: Mapping[str, float]) -> Contender:
    """The baseline ``name`` with these numbers.

    Raises:
        KeyError: there is no such baseline, or a number of it is missing.
    """
    windows, half_lives = dataset.snapshot.window_days, dataset.snapshot.half_life_days
    make: dict[str, Callable[[], Any]] = {
        POPULAR: lambda: popular(purchases(dataset)),
        RECENT_POPULAR: lambda: recent_popular(windows, int(numbers["days"])),
        LAST_CATEGORY: lambda: last_category(windows, half_lives, int(numbers["days"])),
        BUY_AGAIN: lambda: buy_again(
            windows, half_lives, int(numbers["days"]), numbers["half_life"], numbers["popularity"]
        ),
    }
    return Contender(name, dict(numbers), make[name]())


def contenders(dataset: Dataset) -> list[Contender]:
    """Every baseline with every choice of its numbers."""
    windows = dataset.snapshot.window_days
    middle = sorted(windows)[len(windows) // 2]
    grid: dict[str, list[dict[str, float]]] = {
        POPULAR: [{}],
        RECENT_POPULAR: [{"days": days} for days in windows],
        LAST_CATEGORY: [{"days": days} for days in windows],
        BUY_AGAIN: [
            {"days": middle, "half_life": half_life, "popularity": popularity}
            for half_life in HALF_LIVES
            for popularity in POPULARITIES
        ],
    }
    return [contender(dataset, name, numbers) for name, choices in grid.items() for numbers in choices]


def best_of_each(
    dataset: Dataset, rows: Rows, on_progress: Callable[[int, int], None] | None = None
) -> dict[str, tuple[Contender, Figures]]:
    """Each baseline by name with the numbers that rank ``rows`` best by NDCG@10, and its figures."""
    found = {str(place): contender for place, contender in enumerate(contenders(dataset))}
    models = {place: contender.model for place, contender in found.items()}
    measured = evaluate_all(models, dataset, rows, on_progress=on_progress)
    best: dict[str, tuple[Contender, Figures]] = {}
    for place, contender in found.items():
        figures = measured[place]
        if contender.name not in best or _ndcg(figures) > _ndcg(best[contender.name][1]):
            best[contender.name] = (contender, figures)
    return best


def purchases(dataset: Dataset) -> NDArray[np.float32]:
    """In how many baskets of the training days each item is, by item index."""
    table = np.zeros(dataset.vocabulary.item_rows, dtype=np.float32)
    for row in dataset.rows("train"):
        np.add.at(table, dataset.targets[row], 1.0)
    return table


def _ndcg(figures: Figures) -> float:
    return figures.metrics["ndcg_10"].value
