"""The moments to learn from: the start of every basket of a known user, and what was in it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from features.behaviour import OCCURRED_US
from features.events.schema import (
    EVENT_TYPE,
    ITEM_ID,
    SESSION_ID,
    USER_ID,
)
from infra.partitions import Span, day_start
from infra.settings import Settings

Split = Literal["train", "validation", "fresh"]
SPLITS: Final[tuple[Split, ...]] = ("train", "validation", "fresh")

MOMENT: Final = "moment"
DAY: Final = "day"
TARGETS: Final = "targets"

#: Several baskets of one user may begin in one minute; each is a moment, none sees the other. ``{events}``
#: stands for the name of a table of ``features.behaviour``.
BASKETS: Final = f"""
    SELECT {USER_ID}, coalesce({SESSION_ID}, {OCCURRED_US}::VARCHAR) AS {SESSION_ID},
           make_timestamptz(min({OCCURRED_US})) AS {MOMENT}, list_sort(list(DISTINCT {ITEM_ID})) AS {TARGETS}
    FROM {{events}}
    WHERE {EVENT_TYPE} = 'purchase' AND {USER_ID} IS NOT NULL AND {ITEM_ID} IS NOT NULL
    GROUP BY ALL ORDER BY {MOMENT}, {USER_ID}, {SESSION_ID}
"""


@dataclass(frozen=True)
class Splits:
    """The days of a snapshot, split by time: what is learned from, what chooses, what judges."""

    train: Span
    validation: Span
    fresh: Span

    @classmethod
    def until(cls, through: date, first: date, settings: Settings) -> Splits:
        """Fresh: the last ``fresh_days`` up to ``through``; validation before; everything else trains."""
        end = through + timedelta(days=1)
        fresh = max(first, end - timedelta(days=settings.fresh_days))
        validation = max(first, fresh - timedelta(days=settings.validation_days))
        return cls(Span(first, validation), Span(validation, fresh), Span(fresh, end))

    def of(self, day: date) -> Split:
        """The split that holds ``day``."""
        return next(name for name in SPLITS if day in self.span(name))

    def span(self, split: Split) -> Span:
        return {"train": self.train, "validation": self.validation, "fresh": self.fresh}[split]


def days_of(moments_us: NDArray[np.int64], span: Span, settings: Settings) -> list[date]:
    """The shop's day of each moment (microseconds since 1970 UTC) within ``span``."""
    days = list(span.days())
    starts = np.array([start_us(day, settings) for day in days], dtype=np.int64)
    return [days[place] for place in np.searchsorted(starts, moments_us, side="right") - 1]


def start_us(day: date, settings: Settings) -> int:
    """The beginning of the shop's ``day``: T of all that is known from closed days."""
    return int(day_start(day, settings.zone).timestamp()) * 1_000_000
