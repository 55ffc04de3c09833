"""What a source must say about itself, so that its logs can be read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Source:
    """One kind of log.

    Args:
        name: how the source is called in settings, paths and the ``source`` column.
        required: columns without which a file is refused.
        optional: columns that are read where a file has them.
        columns: event column -> SQL for its text, in which ``{Customer ID}`` stands for the text of
            that column of the file (null where an optional column is absent). The macros of
            ``scratch`` may be used.
        item: title, category_path (``A > B``, root first), brand, in the same way.
        reasons: reason -> condition, beyond those that hold for every source.
        repeats_are_events: whether rows that are equal in every column happened that many times;
            otherwise all but the first are slips and count as duplicates.
    """

    name: str
    required: tuple[str, ...]
    columns: Mapping[str, str]
    optional: tuple[str, ...] = ()
    item: Mapping[str, str] = field(default_factory=dict)
    reasons: tuple[tuple[str, str], ...] = ()
    repeats_are_events: bool = False
