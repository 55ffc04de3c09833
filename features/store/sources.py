"""Where Feast reads past rows: the lake's files, on the engine that the settings name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from feast import FileSource
from feast.data_format import ParquetFormat
from feast.data_source import DataSource

from features.view import OWNER
from infra.settings import Settings

#: What else Hadoop would take for a pattern.
_GLOB: Final = re.compile(r"([][{}?\\])")


def parquet_source(
    settings: Settings,
    name: str,
    files: Path,
    timestamps: tuple[str, str],
    description: str,
    mapping: Mapping[str, str] | None = None,
    owner: str = OWNER,
) -> DataSource:
    """Parquet files as a source of Feast.

    Args:
        files: what is called ``*`` in it may have any name.
        timestamps: the columns of the moment that a row describes, and of when it became known.
        mapping: by column the feature that it is, where their names differ.
    """
    told = {
        "timestamp_field": timestamps[0],
        "created_timestamp_column": timestamps[1],
        "description": description,
        "owner": owner,
        "field_mapping": dict(mapping or {}),
    }
    if settings.engine == "duckdb":
        return FileSource(name=name, path=str(files), file_format=ParquetFormat(), **told)
    from feast.infra.offline_stores.contrib.spark_offline_store.spark_source import SparkSource

    pattern = _GLOB.sub(r"\\\1", str(files))
    # the registry cannot hold sources of two kinds under one name
    return SparkSource(name=f"{name}_on_spark", path=f"file:{pattern}", file_format="parquet", **told)
