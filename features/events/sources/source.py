"""What a source must say about itself, so that its logs can be read.

A source is data: which columns its files have, and SQL that makes event columns of them. In that SQL
``{Customer ID}`` stands for the cleaned text of that column of the file (null where there is none),
``{Invoice|InvoiceNo}`` for the first of several spellings that is not null, and ``{?Invoice|InvoiceNo}``
for whether the row's file has one of these columns. The macros of ``scratch`` may be used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Headerless:
    """CSV files without a header line.

    Args:
        columns: names for their columns, in order.
        first_line: regular expression that their whole first line matches.
    """

    columns: tuple[str, ...]
    first_line: str


@dataclass(frozen=True)
class Catalogue:
    """Files that describe items, beside the events.

    Args:
        required: columns by which such a file is known; ``A|B``: either spelling.
        columns: item column -> SQL for its text; ``item_id``, and any of ``valid_from`` (without: as long
            as is known), ``title``, ``category_path`` (``A > B``, root first), ``brand``, ``price``.
        unused: condition of rows that say nothing that we keep.
    """

    required: tuple[str, ...]
    columns: Mapping[str, str]
    unused: str = "false"


@dataclass(frozen=True)
class CategoryTree:
    """Files that name each category's parent; the last level of a ``category_path`` is looked up in them."""

    required: tuple[str, ...]
    category: str
    parent: str


@dataclass(frozen=True)
class Source:
    """One kind of log.

    Args:
        name: how the source is called in settings, paths and the ``source`` column.
        required: columns without which a file of events is refused; ``A|B``: either spelling.
        columns: event column -> SQL for its text.
        optional: columns that are read where a file has them.
        item: title, category_path, brand, as a row of the log says them, in the same way.
        reasons: reason -> condition, beyond those that hold for every source.
        repeats_are_events: whether rows of a file that are equal in every column happened that many times;
            otherwise all but the first are slips and count as duplicates.
        catalogue: files that describe items, which may lie beside the events.
        tree: files that name categories' parents, which may lie beside them too.
        headerless: how files of events without a header are known.
        sparse: months may pass between two rows, so that such a gap says nothing about clocks.
        latin_1: CSV files that are not UTF-8 are Latin-1, as which the log was published.
    """

    name: str
    required: tuple[str, ...]
    columns: Mapping[str, str]
    optional: tuple[str, ...] = ()
    item: Mapping[str, str] = field(default_factory=dict)
    reasons: tuple[tuple[str, str], ...] = ()
    repeats_are_events: bool = False
    catalogue: tuple[Catalogue, ...] = ()
    tree: CategoryTree | None = None
    headerless: Headerless | None = None
    sparse: bool = False
    latin_1: bool = False
