"""Writes a bundle: a model or a baseline with all that is needed to serve it elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from features.bundle import ENDPOINT, ITEM_TABLE, ITEMS, META, MODEL, VOCABULARY, BundleMeta
from features.events.schema import ITEM_ID
from features.inputs import shapes
from features.vocabulary import Vocabulary
from infra.errors import TrainingError
from infra.lake import written_aside


def save_bundle(folder: Path, model: Any, vocabulary: Vocabulary, items: pa.Table, meta: BundleMeta) -> Path:
    """Write the bundle to ``folder``, all or nothing.

    Args:
        model: callable on the input dictionary that answers with the output dictionary; a Keras
            model or a ``tf.Module``. Its SavedModel takes any B and K, and T = ``meta.sequence_length``.
        items: a row per item of ``vocabulary`` (others are left out), columns of ``ITEM_TABLE``.

    Raises:
        TrainingError: an item of the vocabulary has no row.
    """
    table = _in_order(items.select(ITEM_TABLE.names).cast(ITEM_TABLE), vocabulary)
    with written_aside(folder) as aside:
        aside.mkdir()
        (aside / META).write_text(meta.model_dump_json(indent=2) + "\n", encoding="utf-8")
        vocabulary.save(aside / VOCABULARY)
        pq.write_table(table, aside / ITEMS)
        _save_model(aside / MODEL, model, meta)
    return folder


def input_specs(meta: BundleMeta) -> dict[str, Any]:
    """The ``tf.TensorSpec`` of every input, by name."""
    import tensorflow as tf

    known = shapes(meta.sequence_length, meta.window_days, meta.half_life_days)
    return {name: tf.TensorSpec(shape, dtype, name) for name, (shape, dtype) in known.items()}


def _save_model(folder: Path, model: Any, meta: BundleMeta) -> None:
    import tensorflow as tf

    module = tf.Module()
    module.model = model
    module.serve = tf.function(lambda inputs: model(inputs), input_signature=[input_specs(meta)])
    tf.saved_model.save(module, str(folder), signatures={ENDPOINT: module.serve})


def _in_order(items: pa.Table, vocabulary: Vocabulary) -> pa.Table:
    row_of = {item: row for row, item in enumerate(items[ITEM_ID].to_pylist())}
    missing = [item for item in vocabulary.items if item not in row_of]
    if missing:
        raise TrainingError(
            f"The item table lacks {len(missing)} items of the vocabulary, {missing[0]!r} first.",
            "Take both from the same snapshot.",
        )
    return items.take(pa.array([row_of[item] for item in vocabulary.items], pa.int64()))
