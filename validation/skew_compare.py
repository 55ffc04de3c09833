"""Served values held against expected ones, value by value.

Texts, whole numbers and lists of them must be equal; a float may differ by ``FLOAT_RELATIVE``, since a strength that
faded in two steps is not to the last bit what it is in one. A feature that one side lacks is a difference.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest
from typing import Any, Final

from pydantic import BaseModel, ConfigDict

#: Of the larger of two floats.
FLOAT_RELATIVE: Final = 1e-9
#: Stands for a feature, or for the rest of a list, that is not there.
MISSING: Final = "(missing)"


class Difference(BaseModel):
    """One value that is not what it should be.

    Attributes:
        place: in a list, of its first element that differs.
        served, expected: the value, of a list that element.
        absolute, relative: the largest over a list's elements; None where they are no numbers. Relative to the larger.
    """

    model_config = ConfigDict(frozen=True)

    place: int | None
    served: Any
    expected: Any
    absolute: float | None
    relative: float | None


class Example(Difference):
    """A difference, with the user and the moment of the answer."""

    user_id: str
    moment: datetime


class FeatureSkew(BaseModel):
    """What the comparison found of one feature: how many values, how far apart at most, and the first one."""

    model_config = ConfigDict(frozen=True)

    feature: str
    compared: int = 0
    different: int = 0
    absolute: float | None = None
    relative: float | None = None
    example: Example | None = None

    def after(self, difference: Difference | None, user_id: str, moment: datetime) -> FeatureSkew:
        """With one more value compared."""
        if difference is None:
            return self.model_copy(update={"compared": self.compared + 1})
        first = self.example or Example(**difference.model_dump(), user_id=user_id, moment=moment)
        update = {
            "compared": self.compared + 1,
            "different": self.different + 1,
            "absolute": _larger(self.absolute, difference.absolute),
            "relative": _larger(self.relative, difference.relative),
            "example": first,
        }
        return self.model_copy(update=update)


@dataclass(frozen=True)
class Pair:
    """A user at a moment: what was served, and each of the states any of whose values is right, the likeliest first."""

    user_id: str
    moment: datetime
    served: Mapping[str, Any]
    expected: Sequence[Mapping[str, Any]]


def compare(pairs: Iterable[Pair]) -> tuple[FeatureSkew, ...]:
    """Compare every feature of every pair, in the order of ``pairs``; features by name."""
    found: dict[str, FeatureSkew] = {}
    for pair in pairs:
        for feature in {*pair.served, *(name for state in pair.expected for name in state)}:
            before = found.get(feature) or FeatureSkew(feature=feature)
            found[feature] = before.after(_nearest(pair, feature), pair.user_id, pair.moment)
    return tuple(found[feature] for feature in sorted(found))


def difference(served: Any, expected: Any) -> Difference | None:
    """What is wrong with one value; None: nothing."""
    if isinstance(served, list) and isinstance(expected, list):
        parts = [_element(*pair) for pair in zip_longest(served, expected, fillvalue=MISSING)]
        wrong = [(place, part) for place, part in enumerate(parts) if part is not None]
        if not wrong:
            return None
        place, first = wrong[0]
        absolute, relative = None, None
        for _, part in wrong:
            absolute, relative = _larger(absolute, part.absolute), _larger(relative, part.relative)
        return first.model_copy(update={"place": place, "absolute": absolute, "relative": relative})
    return _element(served, expected)


def _nearest(pair: Pair, feature: str) -> Difference | None:
    """None if any expected state has the served value, else the difference from the likeliest."""
    served = pair.served.get(feature, MISSING)
    found = [difference(served, state.get(feature, MISSING)) for state in pair.expected]
    return None if None in found else found[0]


def _element(served: Any, expected: Any) -> Difference | None:
    if not (_is_number(served) and _is_number(expected)):
        same = type(served) is type(expected) and served == expected
        return None if same else Difference(place=None, served=served, expected=expected, absolute=None, relative=None)
    absolute = abs(served - expected)
    relative = absolute / max(abs(served), abs(expected)) if absolute else 0.0
    bound = FLOAT_RELATIVE if isinstance(served, float) or isinstance(expected, float) else 0.0
    if relative <= bound:
        return None
    return Difference(place=None, served=served, expected=expected, absolute=absolute, relative=relative)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _larger(one: float | None, other: float | None) -> float | None:
    known = [value for value in (one, other) if value is not None]
    return max(known) if known else None
