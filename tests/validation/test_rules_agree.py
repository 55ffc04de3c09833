"""A rule is one rule: plain Great Expectations, the pushed-down engine and SQL find the same rows."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.events.ingest import ingest
from features.events.manifest import Manifest
from features.events.reasons import TOO_LATE
from features.events.rules import ROW_RULES
from features.events.schema import EVENT, EVENT_TYPES
from infra.partitions import Span
from infra.settings import Settings
from validation.refused import quarantine_of, refused_in
from validation.rules import event_rules
from validation.suites import EVENTS, EVENTS_VERSION, Suite

pytestmark = pytest.mark.thorough  # seconds in sum

Row = dict[str, Any]

DELIVERED = datetime(2010, 12, 3, 2, tzinfo=UTC)
IDENTIFIERS = ("event_id", "user_id", "item_id", "session_id", "country", "campaign")
READ = [*EVENT.names[:5], *IDENTIFIERS[3:], "dwell_ms", "quantity", "price", "currency", "rating"]
TICK = timedelta(microseconds=1)
FIRST = datetime(1990, 1, 1, tzinfo=UTC)

IDS = st.sampled_from(
    [None, "a", "b", "c", "ü" * 256, "é" * 257, "😀" * 256, "x" * 300, "O'Brien", "", "a\x00", "\na", "a\x85"]
)
AMOUNTS = st.sampled_from([None, 1, 0, -1, 10**6, 10**6 + 1, 10**9, 10**9 + 1, 2**63 - 1, -(2**63)])
TIMES = st.sampled_from(
    [
        datetime(2010, 12, 1, 10, tzinfo=UTC),
        datetime(2010, 12, 2, 23, 59, 59, 999999, tzinfo=UTC),
        datetime(2010, 11, 30, tzinfo=UTC),
        FIRST,
        FIRST - TICK,
        DELIVERED,
        DELIVERED + TICK,
        datetime(9999, 12, 31, tzinfo=UTC),
        None,
    ]
)
ROWS = st.fixed_dictionaries(
    {
        "event_id": IDS,
        "user_id": IDS,
        "item_id": IDS,
        "session_id": IDS,
        "country": IDS,
        "campaign": IDS,
        "event_type": st.sampled_from([*EVENT_TYPES, "dance", "View", "", None]),
        "occurred_at": TIMES,
        "ingested_at": TIMES,
        "ingested_assumed": st.booleans(),
        "is_bot": st.booleans(),
        "source_position": st.sampled_from([None, 1, 2]),
        "dwell_ms": AMOUNTS,
        "quantity": AMOUNTS,
        "price": AMOUNTS,
        "currency": st.sampled_from([None, "GBP", "gbp", "GBP\n", "\nGBP", "GB", "GBPX", "£££", "ÄÖÜ", ""]),
        "rating": st.sampled_from([None, 0.0, -0.0, 10.0, 10.000001, -1.0, float("nan"), float("inf"), float("-inf")]),
        "source": st.sampled_from(["canonical", "elsewhere", None]),
        "delivery_id": st.sampled_from(["d1", "d2", None]),
    }
)


@pytest.fixture
def agreed(
    shop: Settings, manifest: Manifest, delivered: Any, both: Any
) -> Callable[[list[Row]], dict[str, list[int]]]:
    """Hold that all ways agree; return the places of the failing rows by rule."""

    def hold(rows: list[Row]) -> dict[str, list[int]]:
        rules = tuple(rule for rule in event_rules(shop, manifest) if rule.failing)
        found: dict[str, list[int]] = {}
        with delivered(rows) as connection:
            plain, pushed = both(Suite(EVENTS, EVENTS_VERSION, rules), connection, shown=1000)
            assert plain == pushed
            for rule in rules:
                [result] = [one for one in plain if one["expectation_config"]["meta"]["rule"] == rule.name]
                places = result["result"]["partial_unexpected_index_list"]
                picked = connection.execute(
                    "SELECT place FROM (SELECT *, row_number() OVER () - 1 AS place FROM batch) AS batch "
                    f"WHERE {rule.condition} ORDER BY place"
                ).fetchall()
                assert places == [place for (place,) in picked], rule.name
                assert result["result"]["unexpected_count"] == len(places)
                found[rule.name] = places
        return found

    return hold


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(ROWS, max_size=30))
def test_whatever_the_rows(agreed: Any, rows: list[Row]) -> None:
    agreed(rows)


def test_nan_is_found_though_the_files_say_that_all_ratings_are_small(agreed: Any, row: Callable[..., Row]) -> None:
    ratings = (0.0, None, 0.0, None, float("nan"))
    found = agreed([row(event_id=str(place), rating=rating) for place, rating in enumerate(ratings)])
    assert found["rating_out_of_range"] == [4]


def every_violation(row: Callable[..., Row]) -> list[Row]:
    """Of every row-level rule two rows or more, with the last good ones between them."""
    wrong: list[Row] = [
        *({column: None} for column in EVENT.names),
        {"event_type": "dance"},
        *({"item_id": None, "event_type": kind} for kind in (None, "dance", "view", "search", "login")),
        *({column: value} for column in IDENTIFIERS for value in ("x" * 257, "a\x00b", "a\x7f")),
        *({"quantity": value} for value in (0, -1, 10**6 + 1)),
        *({"price": value} for value in (-1, 10**9 + 1, 0)),
        {"dwell_ms": -1},
        {"dwell_ms": 2**63 - 1},
        *({"rating": value} for value in (-0.1, 10.1, float("nan"))),
        *({"currency": value} for value in ("gbp", "GBP\n", "GB")),
        {"occurred_at": FIRST - TICK},
        {"occurred_at": DELIVERED + TICK},
        {"ingested_at": FIRST},
        {"source": "elsewhere"},
        {"delivery_id": "another"},
        *({"event_id": "twice"} for _ in "ab"),  # on one day: each day may have it once
        {"event_id": "once a day"},
    ]
    just_good: list[Row] = [
        *({column: "ü" * 256} for column in IDENTIFIERS),
        {"quantity": 1, "price": 0, "rating": 0.0, "dwell_ms": 0, "occurred_at": FIRST},
        {"quantity": 10**6, "price": 10**9, "rating": 10.0, "occurred_at": DELIVERED},
    ]
    fields = enumerate((*wrong, *just_good, *wrong))
    return [row(**{"event_id": f"{place}", **differs}) for place, differs in fields]


def test_every_kind_of_violation_is_found_alike(agreed: Any, row: Callable[..., Row]) -> None:
    found = agreed(every_violation(row))
    never = {"event_id_new", "inside_span", "users_present"}
    assert {name for name, places in found.items() if len(places) < 2} <= never | {"source_position_present"}
    assert {"type_missing", "item_missing", "event_id_unique", "inside_partition"} <= found.keys()
    assert len(found["event_id_unique"]) == 4


def test_the_quarantine_holds_the_rows_that_break_a_rule(shop: Settings, agreed: Any, row: Callable[..., Row]) -> None:
    """Written as text and ingested, each row is refused for the reasons of the rules that it breaks."""
    rows = [{name: one.get(name) for name in READ} for one in every_violation(row) if survives_as_text(one)]
    found = agreed([row(**one) for one in rows])
    expected: dict[int, set[str]] = {}
    for rule in ROW_RULES:
        for place in found[rule.name]:
            expected.setdefault(place + 1, set()).add(rule.reason)
    path = shop.home / "log.jsonl"
    path.write_text("".join(json.dumps(one, default=str, ensure_ascii=False) + "\n" for one in rows), encoding="utf-8")
    taken = ingest(shop, "canonical", [path], Span.of_day(date(2010, 12, 1)), bulk=False, delivered_at=DELIVERED)
    refused = refused_in(quarantine_of(shop.lake, taken.delivery_id)).to_pylist()
    # a good event of 1990 comes too late, which only the ingest can know
    assert {one["row"]: set(one["reasons"]) for one in refused if one["reasons"] != [TOO_LATE]} == expected
    assert {reason for reasons in expected.values() for reason in reasons} == {rule.reason for rule in ROW_RULES}


def survives_as_text(one: Row) -> bool:
    """A missing time has a reason of its own, NaN is not written as JSON, and what reading mends is not refused."""
    mended = one["currency"] in ("gbp", "GBP\n")
    return one["occurred_at"] is not None and one.get("rating") == one.get("rating") and not mended
