"""Attention of candidates over a user's interest states."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

Shape = tuple[int | None, ...]


@keras.saving.register_keras_serializable("penchant")
class TargetAttention(keras.layers.Layer):  # type: ignore[misc, unused-ignore]
    """``a_t = softmax_t(h_t W e_a)`` (arXiv 1809.03672, equation 6), scaled by the root of the width.

    Call with ``states`` (B, T, D), ``candidates`` (B, K, E) and ``mask`` (B, T), True at events;
    answers (B, K, T): non-negative, summing to 1 over the events, 0 at padding (all 0 without events).
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def build(self, states_shape: Shape, candidates_shape: Shape, mask_shape: Shape | None = None) -> None:  # noqa: ARG002
        self.bilinear = self.add_weight(
            shape=(candidates_shape[-1], states_shape[-1]), initializer="glorot_uniform", name="bilinear"
        )

    def call(self, states: Any, candidates: Any, mask: Any) -> Any:
        queries = ops.matmul(candidates, self.bilinear)
        logits = ops.matmul(queries, ops.transpose(states, (0, 2, 1))) / states.shape[-1] ** 0.5
        valid = ops.expand_dims(ops.cast(mask, "float32"), 1)
        logits = ops.cast(logits, "float32") - 1e9 * (1.0 - valid)
        return ops.cast(ops.softmax(logits, axis=-1) * valid, self.compute_dtype)
