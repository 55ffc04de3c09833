"""What the windows of an entity count."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from features.engine import Column

#: Of each behaviour the moment of its last event, whenever that was in the tiles, microseconds since 1970 UTC.
LATEST: Final = "latest"
#: Ways in which what a day says about a window is told: what enters it, and what leaves it.
IN: Final = "in"
OUT: Final = "out"


@dataclass(frozen=True)
class Window:
    """One window: of a behaviour (empty: of all types together) a measure over so many days."""

    behaviour: str
    measure: str
    days: int

    @property
    def column(self) -> str:
        return "_".join(filter(None, (self.behaviour, self.measure, f"{self.days}d")))


@dataclass(frozen=True)
class Counted:
    """What is counted of an entity.

    Attributes:
        entity: column of the tiles.
        measures: for each behaviour its measures.
        sums: for each measure that is a sum the column of the tiles.
        distincts: for each measure that is a distinct count the column of the tiles.
        of_all: measures over all types together: what a day adds, as an aggregation of its tiles.
        lengths: for each measure the lengths of its windows, in days.
        latest: column of the tiles with the last moment.
    """

    entity: str
    measures: Mapping[str, Sequence[str]]
    sums: Mapping[str, str]
    distincts: Mapping[str, str]
    of_all: Mapping[str, Column]
    lengths: Mapping[str, tuple[int, ...]]
    latest: str

    def windows(self, behaviours: Sequence[str]) -> Iterator[Window]:
        """Every window of these behaviours and of all types together."""
        of_types = [(behaviour, measure) for behaviour in behaviours for measure in self.measures[behaviour]]
        for behaviour, measure in (*of_types, *(("", measure) for measure in self.of_all)):
            yield from (Window(behaviour, measure, days) for days in self.lengths[measure])

    def source(self, window: Window, way: str) -> str:
        """Which column of a day holds what enters or leaves a window."""
        name = f"{window.measure}_{way}_{window.days}" if window.measure in self.distincts else window.measure
        return f"{window.behaviour}_{name}" if window.behaviour else name

    @property
    def leaving(self) -> list[int]:
        """After how many days anything leaves."""
        return sorted({days for lengths in self.lengths.values() for days in lengths})
