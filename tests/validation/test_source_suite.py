"""What share of a source's raw rows may be refused: judged from its quarantine."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest

from features.events.ingest import ingest
from features.events.publish import publish
from infra.errors import PartitionRefused
from infra.partitions import Span
from infra.settings import Settings
from validation.gate_result import GateResult, RuleResult
from validation.partition_gate import check
from validation.source_suite import DEFAULT, SHARES, source_suite

pytestmark = pytest.mark.thorough  # seconds in sum

SPAN = Span.of_day(date(2010, 12, 1))

Judge = Callable[..., GateResult]


@pytest.fixture
def judge(shop: Settings) -> Judge:
    """The verdict on a hundred rows of which some say something else; ``more`` than a hundred, or fewer."""

    def make(wrong: list[dict[str, Any]], rows: int = 100) -> GateResult:
        good = {
            "user_id": "u",
            "item_id": "i",
            "event_type": "view",
            "occurred_at": "2010-12-01 10:00:00",
            "price": 1,
            "rating": 1,
        }
        lines = [{**good, **(wrong[n] if n < len(wrong) else {})} for n in range(rows)]
        path = shop.home / "log.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join([",".join(good), *(",".join(map(str, line.values())) for line in lines), ""]))
        delivered = datetime(2010, 12, 2, tzinfo=UTC)
        taken = ingest(shop, "canonical", [path], SPAN, bulk=False, delivered_at=delivered)
        return check(shop, taken.delivery_id, SPAN)

    return make


def of(result: GateResult, rule: str) -> RuleResult:
    return next(found for found in result.rules if found.rule == rule)


def test_a_few_refused_rows_are_borne(judge: Judge) -> None:
    result = judge([{"price": -1}] * 4)
    assert [rule for rule in (*result.failed, *result.warnings) if "share" in rule] == []
    found = of(result, "price_negative_share")
    assert (found.observed, found.failing, found.rows, found.severity) == (0.04, 4, 100, "warning")
    assert (found.suite, found.samples) == ("source-canonical", ())
    assert of(result, "refused_share").observed == 0.04
    assert of(result, "dwell_negative_share").failing == 0


def test_more_of_them_are_a_warning_that_shows_some(judge: Judge) -> None:
    result = judge([{"price": -1, "rating": 99}] * 6)
    assert [rule for rule in result.warnings if "share" in rule] == [
        "price_negative_share",
        "rating_out_of_range_share",
    ]
    assert result.passed
    samples = of(result, "price_negative_share").samples
    assert [(sample["file"], sample["row"]) for sample in samples] == [("log.csv", str(n)) for n in range(1, 6)]
    assert '"price":"-1"' in str(samples[0]["original"])


def test_too_many_stop_the_delivery(shop: Settings, judge: Judge) -> None:
    result = judge([{"price": -1}] * 31)
    assert result.failed == ("price_negative_share_limit",)
    with pytest.raises(PartitionRefused, match=r"price_negative_share_limit \(31 rows\)"):
        result.insist()
    with pytest.raises(PartitionRefused, match="price_negative_share_limit"):
        publish(shop, [result.delivery_id])
    assert result.docs is not None
    assert "source-canonical" in (shop.lake.root / result.docs).read_text()


def test_rows_that_are_refused_for_different_reasons_add_up(judge: Judge) -> None:
    """Each reason is rare; together they are more than half. A row with two reasons counts once."""
    wrong = [{"price": -1}] * 25 + [{"rating": 99}] * 25 + [{"item_id": "x" * 300, "price": "?"}] * 2
    assert judge(wrong).failed == ("refused_share_limit",)


def test_a_limit_is_a_reasons_own(judge: Judge) -> None:
    assert SHARES["time_unreadable"].critical < 0.2 < DEFAULT.critical
    assert judge([{"occurred_at": "noon"}] * 20).failed == ("time_unreadable_share_limit",)
    assert judge([{"price": -1}] * 20).failed == ()


def test_few_rows_are_not_judged_by_shares(judge: Judge) -> None:
    result = judge([{"price": -1}] * 40, rows=49)
    assert result.passed
    left_out, found = (rule for rule in result.rules if rule.suite == "source-canonical")
    assert (found.rule, found.success, found.failing, found.rows) == ("all_refused", True, 40, 49)
    assert (left_out.rule, left_out.evaluated, left_out.why) == ("shares", False, "49 raw rows; 50 are needed")
    assert not judge([{"price": -1}] * 40, rows=50).passed


@pytest.mark.parametrize("rows", [1, 3, 60])
def test_a_delivery_without_one_good_row_is_stopped_however_small(judge: Judge, rows: int) -> None:
    result = judge([{"price": "?"}] * rows, rows=rows)
    assert "all_refused" in result.failed
    with pytest.raises(PartitionRefused, match=rf"all_refused \({rows} rows\)"):
        result.insist()


def test_a_published_delivery_is_judged_from_its_quarantine(shop: Settings, judge: Judge) -> None:
    result = judge([{"price": -1}] * 6)
    publish(shop, [result.delivery_id])
    (shop.home / "log.csv").unlink()
    assert check(shop, result.delivery_id, SPAN) == result


def test_a_sources_own_reasons_are_rules() -> None:
    from features.events.sources import SOURCES

    for source in SOURCES.values():
        names = {rule.name for rule in source_suite(source).rules}
        for reason in (*(reason for reason, _ in source.reasons), "type_unknown", "too_late", "refused"):
            assert {f"{reason}_share", f"{reason}_share_limit"} <= names
