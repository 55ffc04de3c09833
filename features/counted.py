"""What the windows of an entity count."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

#: Of each behaviour the moment of its last event, whenever that was in the tiles, microseconds since 1970 UTC.
LATEST: Final = "latest"


@dataclass(frozen=True)
class Window:
    """A measure of a behaviour over so many days; the name of the behaviour is empty where it is said otherwise.

    ``kind`` is the type that holds it. A day has columns for what enters the window on it, and for what leaves it so
    many days later.
    """

    behaviour: str
    measure: str
    days: int
    distinct: bool
    kind: str

    @property
    def column(self) -> str:
        return self._named(f"{self.days}d")

    @property
    def entering(self) -> str:
        return self._named(f"in_{self.days}" if self.distinct else "")

    @property
    def leaving(self) -> str:
        return self._named(f"out_{self.days}" if self.distinct else "")

    def _named(self, end: str) -> str:
        return "_".join(filter(None, (self.behaviour, self.measure, end)))


@dataclass(frozen=True)
class Counted:
    """What is counted of an entity.

    Attributes:
        entity: column of the tiles.
        measures: for each behaviour its measures.
        sums: for each measure that is a sum the column of the tiles.
        amounts: those of them that add up amounts. The others count, which four bytes hold: a build never has 2^31
            events, and half of the bytes is moved.
        distincts: for each measure that is a distinct count the column of the tiles.
        of_all: measures over all types together.
        lengths: for each measure the lengths of its windows, in days.
        latest: column of the tiles with the last moment.
    """

    entity: str
    measures: Mapping[str, Sequence[str]]
    sums: Mapping[str, str]
    amounts: Sequence[str]
    distincts: Mapping[str, str]
    of_all: Sequence[str]
    lengths: Mapping[str, tuple[int, ...]]
    latest: str

    def windows(self, behaviour: str) -> list[Window]:
        """The windows of a behaviour, or (empty) of all types together."""
        return self._windows(behaviour, self.measures[behaviour] if behaviour else self.of_all)

    def windows_of_a_type(self) -> list[Window]:
        """Every window that a behaviour may have, without its name."""
        return self._windows("", (*self.sums, *self.distincts))

    def _windows(self, behaviour: str, measures: Iterable[str]) -> list[Window]:
        return [
            Window(behaviour, measure, days, measure in self.distincts, "int64" if measure in self.amounts else "int32")
            for measure in measures
            for days in self.lengths[measure]
        ]

    @property
    def leaving(self) -> list[int]:
        """After how many days anything leaves."""
        return sorted({days for lengths in self.lengths.values() for days in lengths})
