"""What the API needs of other rooms, as it needs it; ``connect`` opens the real parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import redis
from numpy.typing import ArrayLike, NDArray
from sqlalchemy import Engine

from features.bundle import BundleMeta
from features.inputs import Inputs
from features.vocabulary import Vocabulary

#: Item ids, and by column of the item windows a value for each of them.
ItemStats = tuple[Sequence[str], Mapping[str, ArrayLike]]


class Store(Protocol):
    """The feature store's online side."""

    def user(self, user_id: str, moment: datetime) -> Mapping[str, Any]:
        """The user's feature row for ``features.state.from_row``; empty for a user it does not know."""

    def item_stats(self, moment: datetime) -> ItemStats:
        """The item windows that hold at ``moment``."""

    def materialised_through(self) -> datetime | None:
        """The end of the last closed day that it holds; None: it holds nothing."""


class Holder(Protocol):
    """What the ledger says serves."""

    @property
    def id(self) -> int: ...
    @property
    def at(self) -> datetime: ...
    @property
    def version(self) -> int: ...
    @property
    def reason(self) -> str: ...


class Registry(Protocol):
    """The ledger, and the folders of what it names."""

    def champion(self) -> Holder | None: ...
    def close(self) -> None: ...
    def download(self, version: int) -> Path: ...


class Ranker(Protocol):
    """A bundle, opened: ``features.bundle.Bundle``."""

    @property
    def meta(self) -> BundleMeta: ...
    @property
    def vocabulary(self) -> Vocabulary: ...
    @property
    def items(self) -> pa.Table: ...
    def score(self, inputs: Inputs) -> dict[str, NDArray[Any]]: ...


@dataclass(frozen=True)
class Parts:
    """Everything outside the process; ``load`` opens a bundle's folder, ``items`` is the catalogue now."""

    store: Store
    registry: Registry
    database: Engine
    valkey: redis.Redis
    load: Callable[[Path], Ranker]
    items: Callable[[datetime], pa.Table]
