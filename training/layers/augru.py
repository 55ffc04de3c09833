"""GRU with attentional update gate (AUGRU), for K candidates at once."""

from __future__ import annotations

from typing import Any, Final

import keras
from keras import ops

CHUNK: Final = 10

Shape = tuple[int | None, ...]


@keras.saving.register_keras_serializable("penchant")
class AUGRU(keras.layers.Layer):  # type: ignore[misc, unused-ignore]
    """How interest evolves towards each candidate (Zhou et al., arXiv 1809.03672, section 4.3).

    For input ``i_t``, attention ``a_t`` and state ``h``::

        u = a_t * sigmoid(W_u i_t + U_u h + b_u)        the attentional update gate
        r = sigmoid(W_r i_t + U_r h + b_r)
        c = tanh(W_c i_t + r * (U_c h) + b_c)
        h = (1 - u) * h + u * c

    A step with attention 0 leaves the state as it is, so padding may stand anywhere. The inputs do
    not depend on the candidate: their projection is computed once and shared by all K.

    Call with ``inputs`` (B, T, D) and ``attention`` (B, K, T); answers with the last state (B, K, units).
    """

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.supports_masking = True
        self.project = keras.layers.Dense(3 * units, name="project")

    def build(self, inputs_shape: Shape, attention_shape: Shape) -> None:  # noqa: ARG002 (Keras gives a shape an argument)
        self.project.build(inputs_shape)
        square = (self.units, self.units)
        # three matrices: to split the product of one costs more than it saves
        self.recurrent = [
            self.add_weight(shape=square, initializer="orthogonal", name=f"recurrent_{gate}")
            for gate in ("update", "reset", "candidate")
        ]

    def call(self, inputs: Any, attention: Any) -> Any:
        projected = self._by_chunk(ops.expand_dims(self.project(inputs), 2))  # (N, CHUNK, B, 1, 3 units)
        weights = self._by_chunk(ops.expand_dims(ops.transpose(attention, (0, 2, 1)), 3))  # (N, CHUNK, B, K, 1)
        state = ops.zeros_like(weights[0, 0]) * ops.zeros((self.units,), dtype=self.compute_dtype)
        return self._run(projected, weights, state)

    def _by_chunk(self, values: Any) -> Any:
        """From (B, T, ...) to (T / CHUNK, CHUNK, B, ...); steps added behind have attention 0."""
        steps = values.shape[1]
        padded = ops.pad(values, [(0, 0), (0, -steps % CHUNK), *[(0, 0)] * (len(values.shape) - 2)])
        by_time = ops.transpose(padded, (1, 0, *range(2, len(values.shape))))
        # the number of chunks is said, not -1: where B and K are open, as in an export, the loop needs it
        return ops.reshape(by_time, (-(-steps // CHUNK), CHUNK, *ops.shape(by_time)[1:]))

    def _run(self, projected: Any, weights: Any, state: Any) -> Any:
        """Loop over chunks; inside one the steps are laid out one by one.

        Measured on 2 cores: keeps the graph small, and needs half the time of one step a turn.
        """
        import tensorflow as tf

        count = projected.shape[0]
        read = [
            tf.TensorArray(values.dtype, count, element_shape=values.shape[1:]).unstack(values)
            for values in (projected, weights)
        ]

        def chunk(turn: Any, state: Any) -> tuple[Any, Any]:
            for now in zip(*(tf.unstack(array.read(turn), CHUNK) for array in read), strict=True):
                state = self._step(state, *now)
            return turn + 1, state

        shape = tf.TensorShape([None, None, self.units])
        start = (tf.constant(0), state)
        invariants = (tf.TensorShape([]), shape)
        return tf.while_loop(lambda turn, _: turn < count, chunk, start, invariants, maximum_iterations=count)[1]

    def _step(self, state: Any, projected: Any, weight: Any) -> Any:
        update, reset, candidate = ops.split(projected, 3, axis=-1)
        of_update, of_reset, of_candidate = self.recurrent
        update = weight * ops.sigmoid(update + ops.matmul(state, of_update))
        reset = ops.sigmoid(reset + ops.matmul(state, of_reset))
        candidate = ops.tanh(candidate + reset * ops.matmul(state, of_candidate))
        return state + update * (candidate - state)

    def compute_output_shape(self, inputs_shape: Shape, attention_shape: Shape) -> Shape:  # noqa: ARG002
        return (*attention_shape[:2], self.units)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units}
