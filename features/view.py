"""What a feature view is: an entity's columns, each with its type, unit and meaning, as plain data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import pyarrow as pa

#: Every row says which moment it describes and since when it could be known.
EVENT_TIMESTAMP: Final = "event_timestamp"
CREATED_TIMESTAMP: Final = "created_timestamp"

MONEY: Final = "minor units of the currency"
MILLISECONDS: Final = "milliseconds"
MICROSECONDS: Final = "microseconds since 1970 UTC"
#: Who answers for the features, where a view does not say otherwise.
OWNER: Final = "penchant"

Kind = Literal["string", "int64", "float64", "list<string>", "list<int64>", "list<float64>"]

_MOMENT: Final = pa.timestamp("us", tz="UTC")
_ARROW: Final[dict[Kind, pa.DataType]] = {
    "string": pa.string(),
    "int64": pa.int64(),
    "float64": pa.float64(),
    "list<string>": pa.list_(pa.string()),
    "list<int64>": pa.list_(pa.int64()),
    "list<float64>": pa.list_(pa.float64()),
}


@dataclass(frozen=True)
class Feature:
    """One column: its name, Arrow type, unit (of each value; texts have none) and what it means.

    Attributes:
        expression: how it follows from other columns of its row, a mapping of their names to Ibis columns; None: it
            is counted itself.
        agree: of a number that is no integer: what changes by no more than this share of it (of a list's sum) does
            not change for late rows.
    """

    name: str
    kind: Kind
    unit: str
    description: str
    expression: Callable[[Any], Any] | None = field(default=None, compare=False)
    agree: float = 1e-9


@dataclass(frozen=True)
class View:
    """One feature view: an entity key, its columns, and how long a row holds.

    ``ttl_days`` is counted by the shop's clock from the row's moment; None: for ever. After it, or
    without a row, counts are zero and lists are empty.
    """

    name: str
    entity: str
    features: tuple[Feature, ...]
    ttl_days: int | None
    description: str
    owner: str = OWNER

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(feature.name for feature in self.features)

    @property
    def schema(self) -> pa.Schema:
        """The columns of its files: entity, features, ``event_timestamp``, ``created_timestamp``."""
        return pa.schema(
            [
                pa.field(self.entity, pa.string()),
                *(pa.field(feature.name, _ARROW[feature.kind]) for feature in self.features),
                pa.field(EVENT_TIMESTAMP, _MOMENT),
                pa.field(CREATED_TIMESTAMP, _MOMENT),
            ]
        )
