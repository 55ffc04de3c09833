"""The bundle: model, vocabulary and item table as one folder, read without the training code.

What is registered, judged, promoted, served and rolled back together::

    bundle.json        who it is: see ``BundleMeta``
    vocabulary.json    ids of the model
    items.parquet      item_id, title, category, price (minor units)
    model/             a TensorFlow SavedModel; its signature ``serve`` maps inputs to outputs
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from features.events.schema import CATEGORY, ITEM_ID, PRICE, TITLE
from features.inputs import Inputs
from features.vocabulary import Vocabulary
from infra.errors import RegistryError

META: Final = "bundle.json"
VOCABULARY: Final = "vocabulary.json"
ITEMS: Final = "items.parquet"
MODEL: Final = "model"
ENDPOINT: Final = "serve"

ITEM_TABLE: Final = pa.schema(
    [
        pa.field(ITEM_ID, pa.string(), nullable=False),
        pa.field(TITLE, pa.string()),
        pa.field(CATEGORY, pa.string(), nullable=False),
        pa.field(PRICE, pa.int64()),
    ]
)


class BundleMeta(BaseModel):
    """Who a bundle is, and how its inputs are made.

    Attributes:
        name: of the model or baseline, such as ``dien`` or ``buy-again``.
        feature_service, feature_service_version: the Feast feature service whose columns it reads.
        features: the columns that there were, each with the digest of its definition (``features.service``).
        sequence_length, history_items: events and items of a state that it was trained with.
        window_days, half_life_days: in days, in the order of the input columns.
        data_digest, snapshot_id: the training set, by content.
        git_commit: of the code that made it.
        created_at: ISO 8601, by the shop's clock.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    kind: Literal["baseline", "model"]
    feature_service: str
    feature_service_version: str
    features: dict[str, str]
    sequence_length: int
    window_days: tuple[int, ...]
    half_life_days: tuple[int, ...]
    history_items: int
    data_digest: str
    snapshot_id: str
    git_commit: str
    created_at: str


@dataclass(frozen=True)
class Bundle:
    """One bundle, opened; the item table and the model are read when first asked for."""

    folder: Path
    meta: BundleMeta
    vocabulary: Vocabulary

    @classmethod
    def load(cls, folder: Path) -> Bundle:
        """Open the bundle in ``folder``; loads no TensorFlow.

        Raises:
            RegistryError: a part is missing or cannot be read.
        """
        missing = [name for name in (META, VOCABULARY, ITEMS, MODEL) if not (folder / name).exists()]
        if missing:
            raise RegistryError(f"{folder} is no bundle: it lacks {', '.join(missing)}.", "Train or fetch it again.")
        try:
            meta = BundleMeta.model_validate_json((folder / META).read_text(encoding="utf-8"))
            return cls(folder, meta, Vocabulary.load(folder / VOCABULARY))
        except (ValidationError, ValueError, KeyError) as error:
            raise RegistryError(f"The bundle in {folder} cannot be read: {error}.", "Train it again.") from error

    @cached_property
    def items(self) -> pa.Table:
        """The items that the model knows, see ``ITEM_TABLE``; parallel to ``vocabulary.items``."""
        return pq.read_table(self.folder / ITEMS, schema=ITEM_TABLE)

    def score(self, inputs: Inputs) -> dict[str, NDArray[np.float32]]:
        """Outputs for inputs as ``features.inputs.encode`` makes them: ``score`` and ``attention``."""
        import tensorflow as tf

        outputs = self.endpoint(**{name: tf.constant(values) for name, values in inputs.items()})
        return {name: values.numpy() for name, values in outputs.items()}

    @cached_property
    def endpoint(self) -> Any:
        """The SavedModel's ``serve`` function: tensors by input name to tensors by output name."""
        # the module is kept alive beside its function: the function alone does not hold its variables
        return self._module.signatures[ENDPOINT]

    @cached_property
    def _module(self) -> Any:
        import tensorflow as tf

        return tf.saved_model.load(str(self.folder / MODEL))
