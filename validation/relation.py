"""A DuckDB table or view as a data source of Great Expectations, looked at by ``DuckDBEngine``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar, Literal

import duckdb
from great_expectations.compatibility.pydantic import PrivateAttr
from great_expectations.core.batch import BatchMarkers, BatchSpec, LegacyBatchDefinition
from great_expectations.core.id_dict import IDDict
from great_expectations.datasource.fluent import BatchRequest
from great_expectations.datasource.fluent.interfaces import Batch, DataAsset, Datasource

from validation import metrics  # noqa: F401 (registers them)
from validation.engine import DuckDBEngine, Relation


class RelationAsset(DataAsset):  # type: ignore[misc]
    """One relation, all of it one batch."""

    type: Literal["relation"] = "relation"
    _connection: duckdb.DuckDBPyConnection = PrivateAttr()

    def test_connection(self) -> None:
        """The connection is open: whoever adds the asset has asked it."""

    def build_batch_request(self, **_: Any) -> Any:
        """The request for the one batch that there is."""
        return BatchRequest(datasource_name=self.datasource.name, data_asset_name=self.name, options={})

    def get_batch_identifiers_list(self, _: Any) -> list[dict[str, Any]]:
        """The one batch goes by its asset's name."""
        return [{}]

    def get_batch(self, batch_request: Any) -> Any:
        """The relation as it is now."""
        engine = self.datasource.get_execution_engine()
        return Batch(
            datasource=self.datasource,
            data_asset=self,
            batch_request=batch_request,
            data=Relation(engine, self._connection, self.name),
            # for the data docs, beside the time of the run that Great Expectations takes itself
            batch_markers=BatchMarkers(ge_load_time=datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")),
            batch_spec=BatchSpec(),
            batch_definition=LegacyBatchDefinition(self.datasource.name, "fluent", self.name, IDDict()),
        )


class RelationDatasource(Datasource):  # type: ignore[misc]
    """The relations of one suite's run."""

    asset_types: ClassVar[Sequence[Any]] = [RelationAsset]
    type: Literal["relations"] = "relations"
    assets: list[RelationAsset] = []  # noqa: RUF012 (a pydantic field)

    @property
    def execution_engine_type(self) -> Any:
        """The class of the engine."""
        return DuckDBEngine

    def test_connection(self, test_assets: bool = True) -> None:
        """There is nothing to connect to: a relation brings its connection."""

    def add(self, name: str, connection: duckdb.DuckDBPyConnection) -> Any:
        """Look at the table or view ``name`` of a DuckDB, which stays open until the validation is over."""
        asset = RelationAsset(name=name)
        asset._connection = connection
        return self._add_asset(asset)
