"""The items that can be shown, and how popular each is: kept in memory, made anew when features are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from features.events.schema import CATEGORY, ITEM_ID, PRICE, TITLE
from features.window_views import item_window_column
from serving.ports import ItemStats


@dataclass(frozen=True)
class Item:
    """One item; ``price`` in minor units, None when nobody knows it."""

    item_id: str
    title: str
    category: str
    price: int | None


@dataclass(frozen=True)
class Shelf:
    """Items by id, and their popularity among users in the windows ``[T-w, T)``.

    Attributes:
        popular: every item, the most wanted in the last ``days`` days first; ties by the longest
            window, then by id.
        by_category: the same order within each category.
        users: how many users wanted an item in the last ``days`` days; an absent item: none.
    """

    items: Mapping[str, Item]
    popular: Sequence[str]
    by_category: Mapping[str, Sequence[str]]
    users: Mapping[str, int]
    days: int

    @classmethod
    def of(cls, table: pa.Table, stats: ItemStats, window_days: Sequence[int]) -> Shelf:
        """A shelf of the items of ``table`` (columns of ``features.bundle.ITEM_TABLE``).

        Args:
            stats: items and columns of the item windows, as the store gives them.
            window_days: of the item windows; the middle one says what is popular now.
        """
        rows = table.select([ITEM_ID, TITLE, CATEGORY, PRICE]).to_pylist()
        items = {
            row[ITEM_ID]: Item(row[ITEM_ID], row[TITLE] or row[ITEM_ID], row[CATEGORY] or "", row[PRICE])
            for row in rows
        }
        days = window_days[len(window_days) // 2]
        users, longest = (_users(stats, window) for window in (days, max(window_days)))
        popular = sorted(items, key=lambda item: (-users.get(item, 0), -longest.get(item, 0), item))
        by_category: dict[str, list[str]] = {}
        for item in popular:
            by_category.setdefault(items[item].category, []).append(item)
        return cls(items, popular, by_category, users, days)

    def category(self, item_id: str | None) -> str:
        """The item's category; empty for none and for one that is not on the shelf."""
        item = self.items.get(item_id or "")
        return item.category if item else ""

    def title(self, item_id: str) -> str:
        item = self.items.get(item_id)
        return item.title if item else item_id


EMPTY: Final = Shelf({}, (), {}, {}, 0)


def _users(stats: ItemStats, days: int) -> dict[str, int]:
    items, columns = stats
    if not len(items):
        return {}
    counts = np.asarray(columns[item_window_column("interaction", "users", days)], dtype=np.int64)
    return {item: int(count) for item, count in zip(items, counts, strict=True) if count > 0}
