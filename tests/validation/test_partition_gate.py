"""The gate finds in a staged delivery what a fault of the ingest could have let through."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.events.ingest import ingest
from features.events.keeping.compaction import compact
from features.events.manifest import Manifest, read_manifest
from features.events.publish import publish
from features.events.schema import EVENT
from infra.errors import DeliveryError, PartitionRefused
from infra.lake import read_json
from infra.partitions import Span
from infra.settings import Settings
from validation import judge
from validation.gate_result import GateResult, RuleResult
from validation.partition_gate import check
from validation.suites import EVENTS_VERSION

pytestmark = pytest.mark.thorough  # seconds in sum

DAY = date(2010, 12, 1)
SPAN = Span.of_day(DAY)
ROWS = 60

Tamper = Callable[[pa.Table], pa.Table]


def log(day: date, rows: int = ROWS, returns: int = 3) -> str:
    lines = ["user_id,item_id,event_type,occurred_at,price"]
    for n in range(rows):
        kind = "return" if n < returns else "purchase"
        user = "" if n % 10 == 0 else f"u{n % 7}"
        lines.append(f"{user},i{n},{kind},{day} 10:{n % 60:02}:00,{100 + n}")
    return "\n".join(lines) + "\n"


def stage(shop: Settings, day: date = DAY, content: str | None = None, **more: Any) -> Manifest:
    path = shop.home / f"{day}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content or log(day))
    delivered = datetime(day.year, day.month, day.day, 2, tzinfo=UTC) + timedelta(days=1)
    keywords = {"bulk": False, "delivered_at": delivered, **more}
    return ingest(shop, "canonical", [path], Span.of_day(day), **keywords)


def tamper(shop: Settings, manifest: Manifest, change: Tamper) -> None:
    path = shop.lake.staging(manifest.delivery_id) / f"dt={DAY}.parquet"
    pq.write_table(change(pq.ParquetFile(path).read()), path)


def changed(column: str, value: Any, rows: int = 2) -> Tamper:
    """Set the first rows of a column."""

    def change(table: pa.Table) -> pa.Table:
        values = [value] * rows + table[column].to_pylist()[rows:]
        place = table.schema.get_field_index(column)
        kind = table.schema.field(column).type
        return table.set_column(place, pa.field(column, kind), pa.array(values, kind))

    return change


def twice(table: pa.Table) -> pa.Table:
    return changed("event_id", table["event_id"][5].as_py(), 1)(table)


def of(result: GateResult, rule: str) -> RuleResult:
    return next(found for found in result.rules if found.rule == rule)


def test_a_good_delivery_passes_and_may_be_published(shop: Settings) -> None:
    manifest = stage(shop)
    result = check(shop, manifest.delivery_id, SPAN)
    result.insist()
    assert (result.passed, result.failed, result.warnings, result.docs) == (True, (), (), None)
    assert not shop.lake.reports.exists()
    assert {(rule.suite, rule.suite_version.partition(".")[0]) for rule in result.rules} == {
        ("files", "1"), ("events", EVENTS_VERSION), ("source-canonical", "2"), ("history", "1")
    }  # fmt: skip
    history = of(result, "history")
    assert (history.evaluated, history.why) == (False, "0 past days with rows; 7 are needed")
    assert publish(shop, [manifest.delivery_id]) == [DAY]
    partition = json.loads(shop.lake.partition(DAY).read_text())
    assert partition["gate"][manifest.delivery_id]["passed"] is True
    # the verdict can be had again when the delivery is no longer staged
    assert check(shop, manifest.delivery_id, SPAN) == result
    assert read_manifest(shop.lake, manifest.delivery_id).gate is not None


def test_samples_are_whole_rows(shop: Settings) -> None:
    manifest = stage(shop)
    tamper(shop, manifest, twice)
    samples = of(check(shop, manifest.delivery_id, SPAN), "event_id_unique").samples
    assert len({sample["event_id"] for sample in samples}) == 1
    assert {sample["item_id"] for sample in samples} == {"i0", "i5"}
    assert {sample["file_day"] for sample in samples} == {str(DAY)}


def test_the_verdict_can_be_had_again_when_its_files_were_merged_with_others(shop: Settings) -> None:
    manifest = stage(shop)
    result = check(shop, manifest.delivery_id, SPAN)
    publish(shop, [manifest.delivery_id])
    late = stage(shop, DAY + timedelta(days=1), log(DAY, 70) + log(DAY + timedelta(days=1)).split("\n", 1)[1])
    assert late.late == 10
    publish(shop, [late.delivery_id], gated=False)
    assert compact(shop, shop.shop_clock().now()).days == 1
    shop.lake.events(DAY, manifest.delivery_id).unlink()
    assert check(shop, manifest.delivery_id, SPAN) == result
    assert stage(shop).accepted == ROWS
    assert check(shop, manifest.delivery_id, SPAN) == result


@pytest.mark.parametrize(
    ("change", "rule", "failing"),
    [
        (changed("user_id", None, ROWS), "users_present", ROWS),
        (twice, "event_id_unique", 2),
        (changed("occurred_at", datetime(2010, 12, 2, tzinfo=UTC)), "inside_partition", 2),
        (changed("occurred_at", datetime(2010, 11, 30, 23, 59, 59, tzinfo=UTC)), "inside_partition", 2),
        (changed("ingested_at", datetime(2010, 12, 1, tzinfo=UTC)), "known_after_it_happened", 2),
        (changed("event_type", "dance"), "type_unknown", 2),
        (changed("event_type", None), "type_missing", 2),
        (changed("item_id", None), "item_missing", 2),
        (changed("event_id", None), "event_id_present", 2),
        (changed("price", -1), "price_negative", 2),
        (changed("quantity", 0), "quantity_not_positive", 2),
        (changed("price", 10**9 + 1), "price_too_large", 2),
        (changed("quantity", 10**9 + 1), "quantity_too_large", 2),
        (changed("user_id", "u" * 257), "user_id_too_long", 2),
        (changed("occurred_at", datetime(1989, 12, 31, tzinfo=UTC)), "before_1990", 2),
        (changed("occurred_at", datetime(2010, 12, 2, 2, 0, 1, tzinfo=UTC)), "in_the_future", 2),
        (changed("dwell_ms", -5), "dwell_negative", 2),
        (changed("rating", 11.0), "rating_out_of_range", 2),
        (changed("currency", "pounds"), "currency_unreadable", 2),
        (changed("source", "elsewhere"), "source_named", 2),
        (changed("delivery_id", "another"), "delivery_named", 2),
        (lambda table: table.slice(1), "complete", None),
    ],
)
def test_a_fault_stops_the_partition(shop: Settings, change: Tamper, rule: str, failing: int | None) -> None:
    manifest = stage(shop)
    tamper(shop, manifest, change)
    result = check(shop, manifest.delivery_id, SPAN)
    assert rule in result.failed
    assert of(result, rule).failing == failing
    assert bool(of(result, rule).samples) == (failing is not None)
    with pytest.raises(PartitionRefused) as caught:
        result.insist()
    for part in (str(SPAN), manifest.delivery_id, rule, f"reports/gate/{manifest.delivery_id}/index.html"):
        assert part in str(caught.value)
    with pytest.raises(PartitionRefused, match=rule):
        publish(shop, [manifest.delivery_id])
    assert shop.lake.closed_days() == []
    assert result.docs is not None
    assert (shop.lake.root / result.docs).exists()


def test_another_type_stops_it_before_rows_are_looked_at(shop: Settings) -> None:
    manifest = stage(shop)
    place = EVENT.get_field_index("price")
    tamper(shop, manifest, lambda table: table.set_column(place, "price", table["price"].cast(pa.float64())))
    result = check(shop, manifest.delivery_id, SPAN)
    assert result.failed == ("types",)
    tamper(shop, manifest, lambda table: table.drop_columns(["text"]))
    assert check(shop, manifest.delivery_id, SPAN).failed == ("types",)


def test_events_that_another_delivery_published_are_refused(shop: Settings) -> None:
    first, second = stage(shop), stage(shop, content=log(DAY) + "u,new,purchase,2010-12-01 12:00:00,5\n")
    stolen = pq.ParquetFile(shop.lake.staging(first.delivery_id) / f"dt={DAY}.parquet").read()["event_id"][0].as_py()
    publish(shop, [first.delivery_id], gated=False)
    tamper(shop, second, changed("event_id", stolen, 1))
    assert "event_id_new" in check(shop, second.delivery_id, SPAN).failed


def test_purchases_without_a_price_are_a_warning(shop: Settings) -> None:
    manifest = stage(shop, content="item_id,event_type,occurred_at\ni,purchase,2010-12-01 10:00:00\n")
    result = check(shop, manifest.delivery_id, SPAN)
    assert (result.passed, result.warnings) == (True, ("price_present",))
    publish(shop, [manifest.delivery_id])
    partition = json.loads(shop.lake.partition(DAY).read_text())
    assert partition["gate"][manifest.delivery_id]["warnings"] == ["price_present"]


def test_a_closed_day_passes(shop: Settings) -> None:
    delivered = datetime(2010, 12, 2, tzinfo=UTC)
    manifest = ingest(shop, "canonical", [], SPAN, bulk=False, delivered_at=delivered, closed="empty", reason="Sunday")
    result = check(shop, manifest.delivery_id, SPAN)
    assert result.passed
    assert of(result, "history").why == "the day is without rows: Sunday"


def test_docs_are_built_when_asked_for(shop: Settings) -> None:
    manifest = stage(shop)
    result = check(shop, manifest.delivery_id, SPAN, docs=True)
    assert result.passed
    assert result.docs == f"reports/gate/{manifest.delivery_id}/index.html"
    page = shop.lake.root / result.docs
    assert "events" in page.read_text()
    assert read_json(page.with_name("made.json")) == {"made_at": "2011-01-10T00:00:00+00:00"}


def test_another_span_is_refused(shop: Settings) -> None:
    manifest = stage(shop)
    with pytest.raises(DeliveryError, match=r"is for 2010-12-01\.\.2010-12-02, not"):
        check(shop, manifest.delivery_id, Span.of_day(date(2010, 12, 5)))


def test_a_bulk_history_is_checked_in_one_pass(shop: Settings) -> None:
    span = Span(date(2010, 11, 28), date(2010, 12, 2))
    path = shop.home / "history.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(log(DAY) + log(date(2010, 11, 29)).split("\n", 1)[1])
    manifest = ingest(shop, "canonical", [path], span, bulk=True, delivered_at=datetime(2011, 1, 1, tzinfo=UTC))
    result = check(shop, manifest.delivery_id, span)
    assert result.passed
    assert of(result, "complete").observed == 2 * ROWS
    assert of(result, "history").why == "a bulk history has no past to compare with"
    assert len(publish(shop, [manifest.delivery_id])) == 4


@pytest.mark.parametrize("name", ["files_suite", "events_suite", "source_suite"])
def test_files_that_are_published_while_they_are_looked_at(
    shop: Settings, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Somebody takes the same delivery at the same time."""
    manifest = stage(shop)
    expected = check(shop, manifest.delivery_id, SPAN)
    step = getattr(judge, name)

    def overtaken(*arguments: Any) -> Any:
        done = step(*arguments)
        publish(shop, [manifest.delivery_id], gated=False)
        return done

    monkeypatch.setattr(judge, name, overtaken)
    assert check(shop, manifest.delivery_id, SPAN) == expected
