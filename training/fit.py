"""Fits a model on the training days; the validation days choose the epoch."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from features.inputs import SCORE, Inputs, shapes
from features.vocabulary import FIRST
from infra.errors import TrainingError
from training import losses
from training.dataset import Dataset, Rows
from training.item_vectors import item_vectors
from training.metrics import per_moment
from training.models.dien import Dien, DienSettings
from training.ranking import rank
from training.sampling import GroupSettings, Sampler
from training.score import score_all

POSITIVE: Final = "positive"
LOG_WEIGHT: Final = "log_weight"
OTHER_ITEM: Final = "other_item"
OTHER_CATEGORY: Final = "other_category"

History = list[dict[str, float]]


@dataclass(frozen=True)
class FitSettings:
    """How to fit.

    Attributes:
        epochs: at most; the learning rate falls to zero over them (half a cosine).
        patience: epochs without a better validation figure before stopping.
        batch: moments a step.
        learning_rate: Adam's, at the start.
        auxiliary_weight: of the auxiliary loss.
        power: see ``training.losses.sampled_softmax``.
        learned_share: the last so much of the training days is learned from; the baskets before give
            the item vectors to start from, so that no basket speaks for itself.
        newcomers: whether first baskets are learned from too.
        validation_moments: at most so many, drawn once, are ranked after each epoch.
        seed: of initial weights, order, and sampling.
    """

    epochs: int = 3
    patience: int = 2
    batch: int = 128
    learning_rate: float = 3e-3
    auxiliary_weight: float = 0.3
    power: float = 0.5
    learned_share: float = 0.8
    newcomers: bool = False
    validation_moments: int = 400
    seed: int = 1
    groups: GroupSettings = field(default_factory=GroupSettings)


@dataclass(frozen=True)
class Fitted:
    """A fitted model.

    Attributes:
        model: with the weights of its best epoch.
        history: per epoch ``loss``, ``ranking_loss``, ``auxiliary_loss``, ``validation_ndcg_10``, ``seconds``.
        best_epoch: counted from 1.
        seconds: of fitting, validation included.
    """

    model: Dien
    history: History
    best_epoch: int
    seconds: float


def fit(
    dataset: Dataset,
    settings: FitSettings | None = None,
    model_settings: DienSettings | None = None,
    on_epoch: Callable[[int, dict[str, float]], None] | None = None,
) -> Fitted:
    """Fit ``Dien`` on the training days of ``dataset``.

    Args:
        on_epoch: told each epoch's number, from 1, and its figures.

    Raises:
        TrainingError: no basket to learn from or to validate with, or the loss is not a number.
    """
    import keras

    chosen = settings or FitSettings()
    started = time.perf_counter()
    keras.utils.set_random_seed(chosen.seed)
    rng = np.random.default_rng(chosen.seed)
    rows, validation = training_rows(dataset, chosen), validation_rows(dataset, chosen)
    sampler = Sampler(dataset, chosen.groups)
    model = Dien.of(dataset.vocabulary, model_settings)
    model.build({name: shape for name, (shape, _) in shapes(*dataset.format).items()})
    baskets = [dataset.targets[row] for row in dataset.rows("train") if row < rows[0]]
    model.start_items(item_vectors(baskets, dataset.vocabulary.item_rows, model.settings.item_width, rng))
    model.adapt(dataset.encode(rows[-1000:], sampler.groups(rows[-1000:], rng).candidates))
    step = _step(model, chosen, -(-len(rows) // chosen.batch))
    history: History = []
    best: list[NDArray[np.float32]] = []
    for epoch in range(1, chosen.epochs + 1):
        figures = _epoch(step, batches(dataset, sampler, rows, chosen.batch, rng))
        figures["validation_ndcg_10"] = ndcg_10(model, dataset, validation)
        figures["seconds"] = time.perf_counter() - started
        history.append(figures)
        if on_epoch:
            on_epoch(epoch, figures)
        best_epoch = _best(history)
        if best_epoch == epoch:
            best = model.get_weights()
        if epoch - best_epoch >= chosen.patience:
            break
    model.set_weights(best)
    return Fitted(model, history, _best(history), time.perf_counter() - started)


def training_rows(dataset: Dataset, settings: FitSettings) -> Rows:
    """Rows to learn from: in the last ``learned_share`` of the training days, with a known target."""
    rows = dataset.rows("train")
    days = dataset.day_of_row[rows]
    if len(rows):
        rows = rows[days >= days[0] + round((1 - settings.learned_share) * (days[-1] + 1 - days[0]))]
    return _usable(dataset, rows if settings.newcomers else rows[dataset.returning[rows]], "learn from")


def validation_rows(dataset: Dataset, settings: FitSettings) -> Rows:
    """A fixed draw of the validation days' moments of returning users (of all, if none returns)."""
    rows = dataset.rows("validation")
    returning = rows[dataset.returning[rows]]
    rows = _usable(dataset, returning if len(returning) else rows, "validate with")
    count = min(settings.validation_moments, len(rows))
    drawn: Rows = np.sort(np.random.default_rng(0).choice(rows, count, replace=False))
    return drawn


def _usable(dataset: Dataset, rows: Rows, purpose: str) -> Rows:
    usable: Rows = rows[np.array([(dataset.targets[row] >= FIRST).any() for row in rows], dtype=bool)]
    if not len(usable):
        raise TrainingError(f"The snapshot has no basket to {purpose}.", "Take one over more days.")
    return usable


def batches(dataset: Dataset, sampler: Sampler, rows: Rows, size: int, rng: np.random.Generator) -> Iterator[Inputs]:
    """Shuffled batches of one epoch; the last is filled up with rows drawn again, so that all have one shape."""
    order = rng.permutation(rows)
    order = np.resize(order, -(-len(order) // size) * size)
    for start in range(0, len(order), size):
        part = order[start : start + size]
        group = sampler.groups(part, rng)
        inputs = dataset.encode(part, group.candidates)
        others = sampler.others(inputs, rng)
        yield {
            **inputs,
            POSITIVE: group.positive,
            LOG_WEIGHT: group.log_weight,
            OTHER_ITEM: others,
            OTHER_CATEGORY: dataset.vocabulary.category_of_item[others],
        }


def ndcg_10(model: Any, dataset: Dataset, rows: Rows) -> float:
    """Mean NDCG@10 of full ranking."""
    targets = [dataset.targets[row].astype(np.int64) - FIRST for row in rows]
    return float(per_moment(rank(score_all(model, dataset, rows), targets))["ndcg_10"].mean())


def _epoch(step: Callable[[Inputs], tuple[float, float]], epoch: Iterator[Inputs]) -> dict[str, float]:
    ranking, foresight, total = np.mean([step(batch) for batch in epoch], axis=0)
    if not np.isfinite(total):
        raise TrainingError("The loss is not a number.", "Lower the learning rate.")
    return {"loss": float(total), "ranking_loss": float(ranking), "auxiliary_loss": float(foresight)}


def _best(history: History) -> int:
    return 1 + int(np.argmax([figures["validation_ndcg_10"] for figures in history]))


def _step(model: Dien, settings: FitSettings, steps: int) -> Callable[[Inputs], tuple[float, float]]:
    import keras
    import tensorflow as tf

    schedule = keras.optimizers.schedules.CosineDecay(settings.learning_rate, steps * settings.epochs)
    optimizer = keras.optimizers.Adam(schedule, clipnorm=5.0)

    @tf.function  # type: ignore[untyped-decorator, unused-ignore]
    def step(batch: dict[str, Any]) -> Any:
        with tf.GradientTape() as tape:
            states = model.extract(batch)
            scores = model.answer(batch, states, training=True)[SCORE]
            ranking = losses.sampled_softmax(scores, batch[POSITIVE], batch[LOG_WEIGHT], settings.power)
            others = (batch[OTHER_ITEM], batch[OTHER_CATEGORY])
            foresight = losses.auxiliary(*model.foresights(batch, states, others), model.mask(batch))
            total = ranking + settings.auxiliary_weight * foresight
        gradients = tape.gradient(total, model.trainable_variables)
        optimizer.apply(gradients, model.trainable_variables)
        return tf.stack([ranking, foresight, total])

    return lambda batch: step({name: tf.constant(values) for name, values in batch.items()}).numpy()
