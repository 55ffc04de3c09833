"""Feast's offline stores on the lake's files, which are written by building and by nothing else.

Feast would append to a view's source by reading all of its files and writing them as one more, and every reader of the
lake would find their rows twice.
"""

from __future__ import annotations

from typing import Any, Final, Literal

from feast.infra.offline_stores.duckdb import DuckDBOfflineStore, DuckDBOfflineStoreConfig

from infra.errors import FeatureError

#: How Feast's configuration names the store; the class of its configuration must lie beside it.
TYPE: Final = "features.store.offline.LakeOfflineStore"


class LakeOfflineStoreConfig(DuckDBOfflineStoreConfig):  # type: ignore[misc]
    """Everything that Feast's own store on DuckDB can be told."""

    type: Literal["features.store.offline.LakeOfflineStore"] = TYPE


class LakeOfflineStore(DuckDBOfflineStore):  # type: ignore[misc]
    """Reads as Feast's own does, and writes no features."""

    @staticmethod
    def offline_write_batch(_config: Any, feature_view: Any, _table: Any, _progress: Any) -> None:
        """Refuse.

        Raises:
            FeatureError: always.
        """
        raise not_written(feature_view.name)


def not_written(view: str) -> FeatureError:
    """The error of whoever writes rows of a view beside the build."""
    return FeatureError(
        f"Rows of {view} cannot be written from outside: they follow from the events.",
        "Post events to /v1/events, push them with features.store.repository.open_store(settings).push, "
        "or deliver a file.",
    )
