"""Ids of a model: which item, category and behaviour is which row of its embeddings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from features.events.schema import EVENT_TYPES
from infra.lake import read_json, write_json

PADDING: Final = 0
UNKNOWN: Final = 1
FIRST: Final = 2

Indices = NDArray[np.int32]


@dataclass(frozen=True)
class Vocabulary:
    """Items and categories that a model knows; index 0 is padding, 1 is unknown, the rest follow.

    Attributes:
        items: item ids, sorted; item ``i`` has index ``i + 2``.
        categories: category names, sorted; likewise.
        item_categories: the category of each item, parallel to ``items``.
    """

    items: tuple[str, ...]
    categories: tuple[str, ...]
    item_categories: tuple[str, ...]

    @classmethod
    def of(cls, category_by_item: Mapping[str, str]) -> Vocabulary:
        items = tuple(sorted(category_by_item))
        in_order = tuple(category_by_item[item] for item in items)
        return cls(items, tuple(sorted(set(in_order))), in_order)

    @classmethod
    def load(cls, path: Path) -> Vocabulary:
        content = read_json(path)
        return cls(tuple(content["items"]), tuple(content["categories"]), tuple(content["item_categories"]))

    def save(self, path: Path) -> None:
        content = {"items": self.items, "categories": self.categories, "item_categories": self.item_categories}
        write_json(path, content)

    @property
    def item_rows(self) -> int:
        """Rows of an item embedding: the items, padding and unknown."""
        return len(self.items) + FIRST

    @property
    def category_rows(self) -> int:
        return len(self.categories) + FIRST

    @cached_property
    def category_of_item(self) -> Indices:
        """Category index by item index, shape (item_rows,)."""
        return np.concatenate([[PADDING, UNKNOWN], self.encode_categories(self.item_categories)]).astype(np.int32)

    def encode_items(self, items: Iterable[str]) -> Indices:
        return np.fromiter((self._item_index.get(item, UNKNOWN) for item in items), dtype=np.int32)

    def encode_categories(self, categories: Iterable[str]) -> Indices:
        return np.fromiter((self._category_index.get(name, UNKNOWN) for name in categories), dtype=np.int32)

    @cached_property
    def all_items(self) -> Indices:
        """The indices of every known item, shape (items,): the candidates of full ranking."""
        return np.arange(FIRST, self.item_rows, dtype=np.int32)

    @cached_property
    def _item_index(self) -> dict[str, int]:
        return {item: index for index, item in enumerate(self.items, start=FIRST)}

    @cached_property
    def _category_index(self) -> dict[str, int]:
        return {category: index for index, category in enumerate(self.categories, start=FIRST)}


_BEHAVIOUR_INDEX: Final = {name: index for index, name in enumerate(EVENT_TYPES, start=FIRST)}
BEHAVIOUR_ROWS: Final = len(EVENT_TYPES) + FIRST


def encode_behaviours(types: Iterable[str]) -> Indices:
    """Indices of event types; the same for every model."""
    return np.fromiter((_BEHAVIOUR_INDEX.get(name, UNKNOWN) for name in types), dtype=np.int32)
