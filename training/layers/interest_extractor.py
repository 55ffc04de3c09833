"""The interest state after each event of a user."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

Shape = tuple[int | None, ...]


@keras.saving.register_keras_serializable("penchant")
class InterestExtractor(keras.layers.Layer):  # type: ignore[misc, unused-ignore]
    """GRU over the events, trained to foresee the next one (arXiv 1809.03672, section 4.2).

    Call with ``events`` (B, T, D) and ``mask`` (B, T), True at events; answers with the states
    (B, T, units). Padding leaves the state as it is.
    """

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.supports_masking = True
        self.gru = keras.layers.GRU(units, return_sequences=True, name="gru")

    def build(self, events_shape: Shape, mask_shape: Shape | None = None) -> None:  # noqa: ARG002 (Keras gives a shape an argument)
        self.gru.build(events_shape)

    def call(self, events: Any, mask: Any) -> Any:
        return self.gru(events, mask=ops.cast(mask, "bool"))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units}
