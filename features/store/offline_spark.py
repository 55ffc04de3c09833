"""Feast's offline store on Spark, on the lake's files, which it does not write (``features.store.offline``)."""

from __future__ import annotations

from typing import Any, Final, Literal

from feast.infra.offline_stores.contrib.spark_offline_store.spark import SparkOfflineStore, SparkOfflineStoreConfig

from features.store.offline import not_written

#: How Feast's configuration names the store; the class of its configuration must lie beside it.
TYPE: Final = "features.store.offline_spark.SparkLakeOfflineStore"


class SparkLakeOfflineStoreConfig(SparkOfflineStoreConfig):  # type: ignore[misc]
    """Everything that Feast's own store on Spark can be told."""

    type: Literal["features.store.offline_spark.SparkLakeOfflineStore"] = TYPE


class SparkLakeOfflineStore(SparkOfflineStore):  # type: ignore[misc]
    """Reads as Feast's own does, and writes no features."""

    @staticmethod
    def offline_write_batch(_config: Any, feature_view: Any, _table: Any, _progress: Any) -> None:
        """Refuse.

        Raises:
            FeatureError: always.
        """
        raise not_written(feature_view.name)
