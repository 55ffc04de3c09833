"""Values held against values: equal is equal, and what differs is counted with how far."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from validation.skew_compare import FLOAT_RELATIVE, MISSING, Pair, compare, difference

MOMENT = datetime(2010, 12, 10, 9, tzinfo=UTC)
COUNTS = st.integers(0, 2**53)
STRENGTHS = st.floats(1e-30, 1e12)
NAMES = st.text("ab0", max_size=2)
VALUES = st.one_of(COUNTS, STRENGTHS, NAMES, *(st.lists(one, max_size=4) for one in (COUNTS, STRENGTHS, NAMES)))
STATES = st.dictionaries(st.sampled_from(["a", "b", "c", "d"]), VALUES)


def pair(served: dict[str, Any], *expected: dict[str, Any], user: str = "u1") -> Pair:
    return Pair(user, MOMENT, served, expected)


@pytest.mark.thorough
@given(st.lists(STATES, max_size=4))
def test_a_state_agrees_with_itself_and_every_value_is_counted(states: list[dict[str, Any]]) -> None:
    found = compare(pair(state, state) for state in states)
    assert [one.different for one in found] == [0] * len(found)
    assert sum(one.compared for one in found) == sum(map(len, states))
    assert [one.feature for one in found] == sorted({name for state in states for name in state})


@pytest.mark.thorough
@given(STATES, STATES)
def test_whatever_differs_is_a_difference_both_ways(one: dict[str, Any], other: dict[str, Any]) -> None:
    there, back = (compare([pair(*states)]) for states in ((one, other), (other, one)))
    wrong = {name for name in one.keys() | other.keys() if not _same(one.get(name), other.get(name))}
    assert {found.feature for found in there if found.different} == wrong
    assert [(found.feature, found.different) for found in there] == [(found.feature, found.different) for found in back]
    assert [(found.absolute, found.relative) for found in there] == [(found.absolute, found.relative) for found in back]


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, (int, float)) and isinstance(other, (int, float)) and float in (type(one), type(other)):
        return math.isclose(one, other, rel_tol=FLOAT_RELATIVE)
    return type(one) is type(other) and bool(one == other)


@pytest.mark.thorough
@given(STRENGTHS, st.floats(-0.9, 0.9))
def test_only_a_float_may_differ_in_its_last_places(strength: float, part: float) -> None:
    assert difference(strength, strength * (1 + part * FLOAT_RELATIVE)) is None
    found = difference(strength, strength * (1 + 3 * FLOAT_RELATIVE))
    assert found is not None
    assert found.relative == pytest.approx(3 * FLOAT_RELATIVE, rel=1e-3)


def test_a_whole_number_may_not_differ_however_large() -> None:
    found = difference(1_291_971_600_000_001, 1_291_971_600_000_000)
    assert found is not None
    assert (found.absolute, found.place) == (1, None)


@pytest.mark.parametrize(
    ("served", "expected", "place", "one", "other", "absolute"),
    [
        ([1, 2, 3], [1, 5, 7], 1, 2, 5, 4),
        ([1, 2], [1, 2, 9], 2, MISSING, 9, None),
        (["mug", "lamp"], ["mug"], 1, "lamp", MISSING, None),
        ([], ["mug"], 0, MISSING, "mug", None),
        ([0.5], [0.25], 0, 0.5, 0.25, 0.25),
        ("mug", "lamp", None, "mug", "lamp", None),
        (0, "0", None, 0, "0", None),
        (3, MISSING, None, 3, MISSING, None),
    ],
)
def test_the_first_place_is_named_and_the_largest_distance(
    served: Any, expected: Any, place: int | None, one: Any, other: Any, absolute: float | None
) -> None:
    found = difference(served, expected)
    assert found is not None
    assert (found.place, found.served, found.expected, found.absolute) == (place, one, other, absolute)


def test_a_feature_that_one_side_lacks_is_named() -> None:
    found = {one.feature: one for one in compare([pair({"a": 1, "b": 2}, {"b": 2, "c": 0})])}
    assert {name: one.different for name, one in found.items()} == {"a": 1, "b": 0, "c": 1}
    assert found["a"].example is not None
    assert (found["a"].example.served, found["a"].example.expected) == (1, MISSING)


def test_over_many_answers_the_first_is_the_example_and_the_largest_distance_counts() -> None:
    pairs = [pair({"a": served}, {"a": 10}, user=f"u{served}") for served in (10, 9, 4, 12)]
    [found] = compare(pairs)
    assert (found.compared, found.different, found.absolute, found.relative) == (4, 3, 6, 0.6)
    assert found.example is not None
    assert (found.example.user_id, found.example.moment) == ("u9", MOMENT)


def test_any_of_the_expected_states_is_right_and_the_first_is_told() -> None:
    before, after = {"a": 1, "b": 1}, {"a": 2, "b": 1}
    assert [one.different for one in compare([pair({"a": 2, "b": 1}, before, after)])] == [0, 0]
    [wrong, _] = compare([pair({"a": 3, "b": 1}, before, after)])
    assert wrong.example is not None
    assert wrong.example.expected == 1
