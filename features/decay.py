"""Interest fades: weights of behaviours, and strengths carried from one moment to a later one.

``strength(t) = Σ weight(event) · 2^(-(t - t_event) / half_life)``, the exponential forgetting
``exp(-λt)`` with ``λ = ln 2 / half_life``.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

MINUTE_US: Final = 60_000_000
DAY_US: Final = 86_400_000_000

#: How much one event of a type says about interest. A return and an impression say nothing for it.
WEIGHTS: Final[Mapping[str, float]] = MappingProxyType(
    {"view": 1.0, "click": 1.0, "cart": 2.0, "favorite": 2.0, "review": 2.0, "purchase": 4.0}
)

#: A minute of dwell time adds half of the weight again, ten minutes and more as much as the weight.
DWELL_FULL_MS: Final = 600_000
DWELL_HALF_MS: Final = 60_000


def dwell_factor(dwell_ms: int | None) -> float:
    """1 without dwell time, rising linearly to 1.5 at one minute and to 2 at ten minutes and beyond."""
    if not dwell_ms or dwell_ms <= 0:
        return 1.0
    if dwell_ms <= DWELL_HALF_MS:
        return 1.0 + 0.5 * dwell_ms / DWELL_HALF_MS
    return 1.5 + 0.5 * (min(dwell_ms, DWELL_FULL_MS) - DWELL_HALF_MS) / (DWELL_FULL_MS - DWELL_HALF_MS)


def weight(event_type: str, dwell_ms: int | None = None) -> float:
    """What one event adds to the strength of its category."""
    return WEIGHTS.get(event_type, 0.0) * dwell_factor(dwell_ms)


def carry(strengths: ArrayLike, elapsed_us: ArrayLike, half_life_days: ArrayLike) -> NDArray[np.float64]:
    """Strengths ``elapsed_us`` microseconds later (the three broadcast against each other)."""
    elapsed_days = np.asarray(elapsed_us, dtype=np.float64) / DAY_US
    factor = np.exp2(-elapsed_days / np.asarray(half_life_days, dtype=np.float64))
    return np.asarray(strengths, dtype=np.float64) * factor
