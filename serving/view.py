"""What an answer needs from memory, as one value that is swapped at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from serving.ports import Holder, Ranker
from serving.rank import Floats
from serving.shelf import EMPTY, Shelf


@dataclass(frozen=True)
class Served:
    """A bundle, warm, and the ledger's entry that says it serves."""

    holder: Holder
    bundle: Ranker


@dataclass(frozen=True)
class View:
    """All that an answer needs from memory, of one moment.

    Attributes:
        served: None: no champion yet, or none could be loaded.
        stats: item windows by item index, shape (item_rows, I); None without a bundle.
        as_of: the end of the last closed day that the store holds.
        categories: of the items that the lake knows; ``shelf`` has a bundle's, as they were when it was made.
        trouble: by part, what went wrong when it was last looked at.
    """

    served: Served | None = None
    shelf: Shelf = EMPTY
    stats: Floats | None = None
    as_of: datetime | None = None
    categories: Mapping[str, str] = field(default_factory=dict)
    looked: bool = False
    trouble: Mapping[str, str] = field(default_factory=dict)

    def category(self, item_id: str | None) -> str:
        """The item's category as it is known now, which is what the log will say of an event of today."""
        return self.categories.get(item_id or "") or self.shelf.category(item_id)
