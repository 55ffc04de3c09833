"""Deep Interest Evolution Network (Zhou et al., 2018, arXiv 1809.03672)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from features.inputs import (
    ATTENTION,
    CANDIDATE_CATEGORY,
    CANDIDATE_ITEM,
    CANDIDATE_STATS,
    CANDIDATE_USER,
    HISTORY_ITEM,
    HISTORY_PURCHASES,
    SCORE,
    SEQUENCE_AGE,
    SEQUENCE_BEHAVIOUR,
    SEQUENCE_CATEGORY,
    SEQUENCE_DWELL,
    SEQUENCE_GAP,
    SEQUENCE_ITEM,
    USER,
    Inputs,
)
from features.vocabulary import BEHAVIOUR_ROWS, PADDING, Vocabulary
from training.layers.augru import AUGRU
from training.layers.interest_extractor import InterestExtractor
from training.layers.standardise import Standardise
from training.layers.target_attention import TargetAttention

#: Numeric inputs: each is brought to one scale by what the training days showed.
SEQUENCE_NUMBERS: Final = (SEQUENCE_GAP, SEQUENCE_AGE, SEQUENCE_DWELL)
#: Brings products of item vectors, most of them below 0.1, to the scale of the other columns.
LIKENESS_SCALE: Final = 20.0

NUMERIC: Final = (USER, CANDIDATE_USER, CANDIDATE_STATS, *SEQUENCE_NUMBERS)


@dataclass(frozen=True)
class DienSettings:
    """Widths and rates of ``Dien``."""

    item_width: int = 16
    category_width: int = 8
    behaviour_width: int = 4
    extractor_units: int = 32
    evolution_units: int = 16
    hidden: tuple[int, ...] = (64, 32)
    dropout: float = 0.1


@keras.saving.register_keras_serializable("penchant")
class Dien(keras.Model):  # type: ignore[misc, unused-ignore]
    """GRU extractor with auxiliary loss, attention of each candidate, AUGRU, and a perceptron on top.

    The perceptron also reads what this user did with this item (``candidate_user``), what all users
    did with it lately (``candidate_stats``) and the user's windows (``user``). Call with the input
    dictionary; answers with the output dictionary, scores float32.
    """

    def __init__(
        self, item_rows: int, category_rows: int, settings: DienSettings | dict[str, Any] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        chosen = DienSettings(**settings) if isinstance(settings, dict) else settings or DienSettings()
        self.rows, self.settings = (item_rows, category_rows), chosen
        self.item = keras.layers.Embedding(item_rows, chosen.item_width, name="item")
        self.category = keras.layers.Embedding(category_rows, chosen.category_width, name="category")
        self.behaviour = keras.layers.Embedding(BEHAVIOUR_ROWS, chosen.behaviour_width, name="behaviour")
        self.scales = {name: Standardise(name=f"scale_{name}") for name in NUMERIC}
        self.extractor = InterestExtractor(chosen.extractor_units, name="extractor")
        self.foresee = keras.layers.Dense(chosen.item_width + chosen.category_width, name="foresee")
        self.attention = TargetAttention(name="attention")
        self.evolution = AUGRU(chosen.evolution_units, name="evolution")
        first, *others = chosen.hidden
        self.of_user = keras.layers.Dense(first, name="of_user")
        self.of_candidate = keras.layers.Dense(first, use_bias=False, name="of_candidate")
        self.activations = [
            keras.layers.PReLU(shared_axes=[1], name=f"prelu_{place}") for place in range(len(chosen.hidden))
        ]
        self.deeper = [keras.layers.Dense(width, name=f"hidden_{place}") for place, width in enumerate(others, 1)]
        self.drop = keras.layers.Dropout(chosen.dropout, name="dropout")
        self.last = keras.layers.Dense(1, dtype="float32", name="score")

    @classmethod
    def of(cls, vocabulary: Vocabulary, settings: DienSettings | None = None) -> Dien:
        return cls(vocabulary.item_rows, vocabulary.category_rows, settings)

    def build(self, input_shape: dict[str, Any]) -> None:
        """Build every part; ``input_shape`` holds the shape of each input by name."""
        chosen = self.settings
        for table in (self.item, self.category, self.behaviour):
            table.build(())
        for name, scale in self.scales.items():
            scale.build((None, 1) if name in SEQUENCE_NUMBERS else input_shape[name])
        embedded = chosen.item_width + chosen.category_width
        states = (*input_shape[SEQUENCE_ITEM], chosen.extractor_units)
        candidates = (*input_shape[CANDIDATE_ITEM], embedded)
        events = embedded + chosen.behaviour_width + len(SEQUENCE_NUMBERS)
        self.extractor.build((*input_shape[SEQUENCE_ITEM], events), input_shape[SEQUENCE_ITEM])
        self.foresee.build(states)
        self.attention.build(states, candidates, input_shape[SEQUENCE_ITEM])
        self.evolution.build(states, (*candidates[:2], states[1]))
        self._build_head(input_shape, embedded)

    def _build_head(self, input_shape: dict[str, Any], embedded: int) -> None:
        chosen = self.settings
        self.of_user.build(input_shape[USER])
        known = input_shape[CANDIDATE_USER][-1] + input_shape[CANDIDATE_STATS][-1]
        widths = [chosen.evolution_units + embedded + chosen.item_width + 1 + known, *chosen.hidden]
        self.of_candidate.build((None, None, widths[0]))
        for width, activation in zip(chosen.hidden, self.activations, strict=True):
            activation.build((None, None, width))
        for width, layer in zip(chosen.hidden, self.deeper, strict=False):
            layer.build((None, None, width))
        self.last.build((None, None, widths[-1]))

    def call(self, inputs: dict[str, Any], training: bool = False) -> dict[str, Any]:
        return self.answer(inputs, self.extract(inputs), training)

    def answer(self, inputs: dict[str, Any], states: Any, training: bool = False) -> dict[str, Any]:
        """The output dictionary, given the interest states of ``extract``."""
        candidates = self.embed(inputs[CANDIDATE_ITEM], inputs[CANDIDATE_CATEGORY])
        attention = self.attention(states, candidates, self.mask(inputs))
        evolved = self.evolution(states, attention)
        scores = self._head(inputs, candidates, evolved, training)
        return {SCORE: scores, ATTENTION: ops.cast(attention, "float32")}

    def mask(self, inputs: dict[str, Any]) -> Any:
        """True at events, (B, T)."""
        return ops.not_equal(inputs[SEQUENCE_ITEM], PADDING)

    def embed(self, items: Any, categories: Any) -> Any:
        """Item and category embeddings side by side, (..., E)."""
        return ops.concatenate([self.item(items), self.category(categories)], axis=-1)

    def extract(self, inputs: dict[str, Any]) -> Any:
        """Interest states, (B, T, extractor units)."""
        numbers = [self.scales[name](ops.expand_dims(inputs[name], -1)) for name in SEQUENCE_NUMBERS]
        events = self.embed(inputs[SEQUENCE_ITEM], inputs[SEQUENCE_CATEGORY])
        behaviours = self.behaviour(inputs[SEQUENCE_BEHAVIOUR])
        return self.extractor(ops.concatenate([events, behaviours, *numbers], axis=-1), self.mask(inputs))

    def foresights(self, inputs: dict[str, Any], states: Any, others: tuple[Any, Any]) -> tuple[Any, Any]:
        """Logits that each state is followed by what came next, and by others: two of (B, T-1).

        Args:
            others: items and categories (B, T) that did not come.
        """
        expected = self.foresee(states[:, :-1])
        came = self.embed(inputs[SEQUENCE_ITEM], inputs[SEQUENCE_CATEGORY])[:, 1:]
        return ops.sum(expected * came, axis=-1), ops.sum(expected * self.embed(*others)[:, 1:], axis=-1)

    def start_items(self, vectors: NDArray[np.float32]) -> None:
        """Begin with these item vectors (item_rows, item width) instead of random ones."""
        self.item.set_weights([vectors])

    def adapt(self, inputs: Inputs) -> None:
        """Take the scales of the numeric inputs from a sample of training moments."""
        events = np.asarray(inputs[SEQUENCE_ITEM]) != PADDING
        for name in NUMERIC:
            values = np.asarray(inputs[name], dtype=np.float32)
            columns = values[events][:, None] if name in SEQUENCE_NUMBERS else values.reshape(-1, values.shape[-1])
            self.scales[name].adapt(columns)

    def _head(self, inputs: dict[str, Any], candidates: Any, evolved: Any, training: bool) -> Any:
        pair = self.scales[CANDIDATE_USER](inputs[CANDIDATE_USER])
        stats = self.scales[CANDIDATE_STATS](inputs[CANDIDATE_STATS])
        user = ops.expand_dims(self.of_user(self.scales[USER](inputs[USER])), 1)
        likeness = self.likeness(inputs, candidates)
        columns = ops.concatenate([evolved, candidates, *likeness, pair, stats], axis=-1)
        hidden = self.drop(self.activations[0](user + self.of_candidate(columns)), training=training)
        for layer, activation in zip(self.deeper, self.activations[1:], strict=True):
            hidden = self.drop(activation(layer(hidden)), training=training)
        return ops.squeeze(self.last(hidden), -1)

    def likeness(self, inputs: dict[str, Any], candidates: Any) -> tuple[Any, Any]:
        """How like the candidates are to what the user bought: by dimension (B, K, E), and in all (B, K, 1).

        The history's embeddings are summed, weighted by purchases, as the authors' code sums the
        sequence's. For items alone, which begin as ``training.item_vectors``, the product then comes
        near a collaborative filter's score.
        """
        weights = ops.expand_dims(inputs[HISTORY_PURCHASES], -1)
        size = ops.maximum(ops.sum(weights, axis=1), 1.0)
        pooled = ops.sum(self.item(inputs[HISTORY_ITEM]) * weights, axis=1) / ops.sqrt(size)
        by_dimension = candidates[:, :, : self.settings.item_width] * ops.expand_dims(pooled, 1)
        return by_dimension, ops.arcsinh(LIKENESS_SCALE * ops.sum(by_dimension, axis=-1, keepdims=True))

    def get_config(self) -> dict[str, Any]:
        return {"item_rows": self.rows[0], "category_rows": self.rows[1], "settings": asdict(self.settings)}
