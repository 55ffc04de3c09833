"""What one event says about interest: numbers worked by hand, which the engine's expression gives as well."""

from __future__ import annotations

import ibis
import pytest

from features.decay import dwell_factor, weight
from features.interest import weight as expression

#: Milliseconds of dwell time, and what a view of so long counts.
FACTORS = [
    (None, 1.0),
    (-1, 1.0),
    (0, 1.0),
    (30_000, 1.25),
    (60_000, 1.5),
    (330_000, 1.75),
    (600_000, 2.0),
    (10**7, 2.0),
]
WEIGHTS = [
    ("view", 0, 1.0),
    ("click", 0, 1.0),
    ("cart", 0, 2.0),
    ("favorite", 0, 2.0),
    ("review", 0, 2.0),
    ("purchase", 0, 4.0),
    ("return", 600_000, 0.0),
    ("impression", 600_000, 0.0),
    ("search", 0, 0.0),
    ("login", 0, 0.0),
    ("view", 30_000, 1.25),
    ("click", 330_000, 1.75),
    ("cart", 60_000, 3.0),
    ("purchase", 600_000, 8.0),
    ("purchase", 10**7, 8.0),
]


@pytest.mark.parametrize(("dwell_ms", "factor"), FACTORS)
def test_dwell_time_counts_up_to_as_much_again(dwell_ms: int | None, factor: float) -> None:
    assert dwell_factor(dwell_ms) == factor


@pytest.mark.parametrize(("event_type", "dwell_ms", "expected"), WEIGHTS)
def test_an_event_weighs_what_its_type_and_dwell_time_say(event_type: str, dwell_ms: int, expected: float) -> None:
    assert weight(event_type, dwell_ms) == expected


def test_the_engine_weighs_events_alike() -> None:
    types, dwell_ms, expected = zip(*WEIGHTS, strict=True)
    rows = ibis.memtable({"type": types, "dwell_ms": dwell_ms, "place": range(len(types))})
    found = rows.mutate(weight=expression(rows["type"], rows["dwell_ms"])).order_by("place")
    assert ibis.duckdb.connect().to_pyarrow(found)["weight"].to_pylist() == list(expected)
