"""Great Expectations counts with DuckDB: the same results as with pandas, from one scan."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import duckdb
import pytest
from great_expectations.expectations.row_conditions import Column

from features.events.manifest import Manifest
from features.events.rule import Rule
from features.events.rules import between, missing
from infra.settings import Settings
from validation.expectations import Suites
from validation.suites import Suite, events_suite

pytestmark = pytest.mark.thorough  # seconds in sum

Row = dict[str, Any]


class Told:
    """A connection that remembers what it was asked."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self.asked: list[str] = []

    def execute(self, query: str) -> Any:
        self.asked.append(query)
        return self._connection.execute(query)

    def sql(self, query: str) -> Any:
        self.asked.append(query)
        return self._connection.sql(query)


def of(*rules: Rule) -> Suite:
    return Suite("some", "1", rules)


def test_one_question_is_enough_for_a_good_delivery(
    shop: Settings, manifest: Manifest, delivered: Any, row: Callable[..., Row]
) -> None:
    suite = events_suite(shop, manifest)
    rows = [row(event_id=f"{n}") for n in range(30)] + [
        row(event_id=f"{n}", occurred_at=row()["ingested_at"].replace(day=2)) for n in range(30, 60)
    ]
    with delivered(rows) as connection:
        told = Told(connection)
        outcomes = Suites().count(suite, "d1", told)  # type: ignore[arg-type]
    assert [outcome.rule.name for outcome in outcomes if not outcome.success] == []
    assert [outcome.rule for outcome in outcomes] == list(suite.rules)
    assert len(told.asked) == 1
    assert told.asked[0].count("FROM batch") == 1


def test_rows_are_shown_only_of_rules_that_are_broken(
    shop: Settings, manifest: Manifest, delivered: Any, row: Callable[..., Row]
) -> None:
    rows = [row(event_id=f"{n}", price=-1 if n == 5 else 1) for n in range(30)]
    with delivered(rows) as connection:
        told = Told(connection)
        [outcome] = Suites().count(of(between("positive", "price", 0, None)), "d1", told)  # type: ignore[arg-type]
    assert (outcome.success, outcome.failing, outcome.rows, outcome.observed) == (False, 1, 30, [-1])
    assert len(told.asked) == 3  # the counts, the values, their places


@pytest.mark.parametrize("kinds", [(), ("view",), ("login", None, "login")])
@pytest.mark.parametrize("about", [{}, {"only": ("purchase",)}, {"unless": ("search", "login")}])
def test_results_are_those_of_pandas(
    delivered: Any, both: Any, row: Callable[..., Row], kinds: tuple[Any, ...], about: Row
) -> None:
    """No rows at all; no row that the rule is about; nulls among the types."""
    rows = [row(event_type=kind, item_id=None, price=None) for kind in kinds]
    suite = of(
        missing("item", "item_id", **about),
        between("price", "price", 0, 5, **about),
        Rule("mostly", "warning", "ExpectColumnValuesToNotBeNull", {"column": "item_id", "mostly": 0.4}),
        Rule("unique", "critical", "ExpectColumnValuesToBeUnique", {"column": "event_id"}, **about),
        Rule("rows", "critical", "ExpectTableRowCountToEqual", {"value": 1}),
    )
    with delivered(rows) as connection:
        plain, pushed = both(suite, connection)
    assert plain == pushed


KIND = Column("event_type")


@pytest.mark.parametrize(
    "condition",
    [
        KIND.is_in(["view", "login"]),
        KIND.is_not_in(["view"]),
        KIND.is_null(),
        KIND.is_not_null() & KIND.is_not_in(["view"]),
        KIND.is_null() | KIND.is_in(["view"]),
    ],
)
def test_rows_are_picked_as_pandas_picks_them(
    delivered: Any, both: Any, row: Callable[..., Row], condition: Any
) -> None:
    rows = [row(event_type=kind, item_id=item) for kind in ("view", "login", "cart", None) for item in ("i", None)]
    arguments = {"column": "item_id", "row_condition": condition}
    with delivered(rows) as connection:
        plain, pushed = both(of(Rule("item", "critical", "ExpectColumnValuesToNotBeNull", arguments)), connection)
    assert plain == pushed
    assert plain[0]["result"]["unexpected_count"] > 0


def test_a_share_of_failing_rows_is_borne(delivered: Any, both: Any, row: Callable[..., Row]) -> None:
    rows = [row(event_id=f"{n}", user_id=None if n % 3 else "u") for n in range(30)]
    with delivered(rows) as connection:
        for mostly, borne in ((0.3, True), (0.5, False)):
            rule = Rule("users", "critical", "ExpectColumnValuesToNotBeNull", {"column": "user_id", "mostly": mostly})
            plain, pushed = both(of(rule), connection)
            assert plain == pushed
            assert plain[0]["success"] is borne
            assert plain[0]["result"]["partial_unexpected_index_list"] == [1, 2, 4, 5, 7]


def test_places_count_over_files_and_row_groups(delivered: Any, both: Any, row: Callable[..., Row]) -> None:
    rows = [row(event_id=f"{n % 39_999}", price=-1 if n % 9_973 == 9_972 else 1) for n in range(40_000)]
    unique = Rule("unique", "critical", "ExpectColumnValuesToBeUnique", {"column": "event_id"})
    with delivered(rows) as connection:
        plain, pushed = both(of(between("price", "price", 0, None), unique), connection)
    assert plain == pushed
    assert plain[0]["result"]["partial_unexpected_index_list"] == [9_972, 19_945, 29_918, 39_891]
    assert plain[1]["result"]["partial_unexpected_index_list"] == [0, 39_999]


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (
            Rule("strict", "critical", "ExpectColumnValuesToBeBetween", {"column": "price", "min_value": 1, **more}),
            "Strict bounds are not translated",
        )
        for more in ({"strict_min": True}, {"strict_max": True, "max_value": 9})
    ]
    + [
        (
            Rule("pair", "critical", "ExpectColumnPairValuesToBeEqual", {"column_A": "price", "column_B": "quantity"}),
            "Of pairs only whole ones are compared",
        ),
        (
            Rule("mean", "critical", "ExpectColumnMeanToBeBetween", {"column": "price", "min_value": 1}),
            "No provider found for column.mean",
        ),
        (
            Rule(
                "equal",
                "critical",
                "ExpectColumnValuesToNotBeNull",
                {"column": "price", "row_condition": Column("event_type") == "view"},
            ),
            "== is not translated",
        ),
        (between("nowhere", "nothing", 0, 1), "nothing"),
    ],
)
def test_what_is_not_translated_is_an_error(delivered: Any, row: Callable[..., Row], rule: Rule, said: str) -> None:
    with delivered([row(), row(), row()]) as connection, pytest.raises(Exception, match=said):
        Suites().count(of(rule), "d1", connection)
