"""The logged model's own code: MLflow copies this file beside the bundle and runs it there.

It must need nothing of ours, so that the model loads wherever tensorflow, numpy and mlflow are.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow
import numpy as np


class Interest(mlflow.pyfunc.PythonModel):  # type: ignore[misc, unused-ignore]
    """Answers with the bundle's SavedModel: arrays by input name to arrays by output name."""

    def load_context(self, context: Any) -> None:
        import tensorflow as tf

        # the module is kept: the function alone does not hold its variables
        self._module = tf.saved_model.load(str(Path(context.artifacts["bundle"]) / "model"))
        self._serve = self._module.signatures["serve"]
        self._specs = self._serve.structured_input_signature[1]

    # in truth model_input is a dictionary of arrays, but MLflow warns about every hint except this one
    def predict(self, context: Any, model_input: np.ndarray, params: Any = None) -> Any:  # noqa: ARG002
        """Score candidates; shapes as in the model's signature."""
        import tensorflow as tf

        inputs = {
            name: tf.constant(np.asarray(model_input[name]), dtype=spec.dtype) for name, spec in self._specs.items()
        }
        return {name: values.numpy() for name, values in self._serve(**inputs).items()}


mlflow.models.set_model(Interest())
