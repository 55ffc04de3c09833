"""Brings numeric inputs to one scale, by what the training days showed."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray


@keras.saving.register_keras_serializable("penchant")
class Standardise(keras.layers.Layer):  # type: ignore[misc, unused-ignore]
    """``(x - mean) / deviation`` by column, cut to ±``limit``; a column that never varied gives 0.

    Nothing was learned about such a column (a behaviour that the shop did not log yet), so it must
    not move a score on the day on which it first appears.
    """

    def __init__(self, limit: float = 5.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.limit = limit
        self.supports_masking = True

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        width = (input_shape[-1],)
        self.mean = self.add_weight(shape=width, initializer="zeros", trainable=False, name="mean")
        self.scale = self.add_weight(shape=width, initializer="ones", trainable=False, name="scale")

    def adapt(self, values: NDArray[np.float32]) -> None:
        """Take mean and deviation of each column from ``values`` (n, columns)."""
        deviation = values.std(axis=0)
        self.mean.assign(values.mean(axis=0))
        self.scale.assign(np.divide(1.0, deviation, out=np.zeros_like(deviation), where=deviation > 1e-4))

    def call(self, inputs: Any) -> Any:
        return ops.clip((inputs - self.mean) * self.scale, -self.limit, self.limit)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "limit": self.limit}
