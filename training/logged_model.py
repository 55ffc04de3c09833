"""The bundle as MLflow's model: with a signature, and loadable wherever tensorflow, numpy and mlflow are."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np

from features.bundle import Bundle, BundleMeta
from features.inputs import ATTENTION, SCORE, Inputs, shapes
from training.provenance import package_versions

#: Name of the logged model within its run.
LOGGED: Final = "model"
#: What it needs; nothing of ours.
NEEDED: Final = ("mlflow", "tensorflow", "numpy")
_WRAPPER: Final = Path(__file__).with_name("pyfunc.py")


def log_bundle(mlflow: Any, folder: Path) -> None:
    """Log the bundle in ``folder`` (named ``bundle``) to the active run as the pyfunc model ``LOGGED``.

    What it needs is told, not inferred: inferring would run the model in a new process, for a minute.
    """
    meta = Bundle.load(folder).meta
    versions = package_versions()
    mlflow.pyfunc.log_model(
        name=LOGGED,
        python_model=str(_WRAPPER),
        artifacts={folder.name: str(folder)},
        signature=signature(meta),
        input_example=example(meta),
        pip_requirements=[f"{name}=={versions[name]}" for name in NEEDED],
        metadata={"bundle": meta.model_dump(mode="json", exclude={"features"})},
    )


def signature(meta: BundleMeta) -> Any:
    """MLflow's signature of a bundle's inputs and outputs; -1 stands for users B and candidates K."""
    from mlflow.models import ModelSignature
    from mlflow.types.schema import Schema, TensorSpec

    known = shapes(meta.sequence_length, meta.window_days, meta.half_life_days)
    inputs = [
        TensorSpec(np.dtype(dtype), tuple(-1 if size is None else size for size in shape), name)
        for name, (shape, dtype) in known.items()
    ]
    outputs = [
        TensorSpec(np.dtype("float32"), (-1, -1), SCORE),
        TensorSpec(np.dtype("float32"), (-1, -1, meta.sequence_length), ATTENTION),
    ]
    return ModelSignature(inputs=Schema(inputs), outputs=Schema(outputs))


def example(meta: BundleMeta, users: int = 1, candidates: int = 3) -> Inputs:
    """Inputs of users about whom nothing is known."""
    known = shapes(meta.sequence_length, meta.window_days, meta.half_life_days)
    return {
        name: np.zeros((users, *(candidates if size is None else size for size in shape[1:])), dtype)
        for name, (shape, dtype) in known.items()
    }
