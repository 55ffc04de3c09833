"""What the gate found can be asked over days: PostgreSQL mirrors the manifests, and catches up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, delete, insert, select
from sqlalchemy.exc import IntegrityError

from features.events.ingest import ingest
from features.events.manifest import read_published
from features.events.publish import publish
from infra.database import engine
from infra.partitions import Span
from infra.settings import Settings
from infra.tables import gate_results
from validation.partition_gate import check
from validation.recorded import TREND, mirror, trend
from validation.suites import EVENTS_VERSION

pytestmark = pytest.mark.integration

FIRST = date(2010, 12, 1)


@pytest.fixture
def database(services: Settings) -> Iterator[Engine]:
    """PostgreSQL, in which nothing is recorded."""
    found = engine(services)
    with found.begin() as connection:
        connection.execute(delete(gate_results))
    yield found
    found.dispose()


@pytest.fixture
def published(shop: Settings) -> Callable[..., str]:
    """Publish a day of which every tenth purchase lacks its price, or as many as said."""

    def make(day: date, unpriced: int = 6, *, gated: bool = True) -> str:
        path = shop.home / f"{day}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = [f"u{n % 7},i{n},purchase,{day} 10:{n:02}:00,{'' if n < unpriced else 100}" for n in range(60)]
        path.write_text("\n".join(["user_id,item_id,event_type,occurred_at,price", *lines, ""]))
        delivered = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
        taken = ingest(shop, "canonical", [path], Span.of_day(day), bulk=False, delivered_at=delivered)
        if gated:
            check(shop, taken.delivery_id, Span.of_day(day))
        publish(shop, [taken.delivery_id], gated=gated)
        return taken.delivery_id

    return make


def recorded(database: Engine) -> list[dict[str, Any]]:
    query = select(gate_results).order_by(gate_results.c.at, gate_results.c.day)
    with database.connect() as connection:
        return [dict(row) for row in connection.execute(query).mappings()]


def test_a_verdict_is_recorded_once_with_all_its_figures(
    shop: Settings, database: Engine, published: Callable[..., str]
) -> None:
    delivery = published(FIRST)
    assert mirror(shop.lake, database) == [delivery]
    rows = recorded(database)
    gate = read_published(shop.lake, delivery).gate
    assert gate is not None
    assert {row["rule"] for row in rows} == {rule["rule"] for rule in gate["rules"] if rule["evaluated"]}
    [price] = [row for row in rows if row["rule"] == "price_present"]
    assert price["at"].tzinfo is not None
    assert price == {
        "at": price["at"],
        "delivery_id": delivery, "suite": "events", "rule": "price_present", "day": FIRST,
        "span_end": FIRST + timedelta(days=1), "source": "canonical", "suite_version": EVENTS_VERSION,
        "severity": "warning", "success": False, "observed": [None] * 5, "failing": 6, "rows": 60,
    }  # fmt: skip
    assert {row["suite"] for row in rows} == {"files", "events", "source-canonical"}
    assert mirror(shop.lake, database) == []
    assert recorded(database) == rows


def test_what_was_published_while_it_was_down_is_caught_up_oldest_first(
    shop: Settings, database: Engine, published: Callable[..., str]
) -> None:
    days = [FIRST + timedelta(days=offset) for offset in range(3)]
    third, first, second = published(days[2]), published(days[0]), published(days[1])
    assert mirror(shop.lake, database) == [first, second, third]
    assert list(dict.fromkeys(row["day"] for row in recorded(database))) == days


def test_a_delivery_that_was_judged_again_is_recorded_anew(
    shop: Settings, database: Engine, published: Callable[..., str]
) -> None:
    delivery = published(FIRST)
    mirror(shop.lake, database)
    manifest = read_published(shop.lake, delivery)
    assert manifest.gate is not None
    kept = [{**rule, "suite_version": "0"} for rule in manifest.gate["rules"] if rule["rule"] == "price_present"]
    changed = manifest.model_copy(update={"gate": {**manifest.gate, "rules": kept}})
    changed.write(shop.lake.manifest(delivery))
    assert mirror(shop.lake, database) == []
    assert mirror(shop.lake, database, again=[delivery]) == [delivery]
    assert [(row["rule"], row["suite_version"]) for row in recorded(database)] == [("price_present", "0")]


def test_a_delivery_without_a_verdict_has_nothing_to_record(
    shop: Settings, database: Engine, published: Callable[..., str]
) -> None:
    published(FIRST, gated=False)
    assert mirror(shop.lake, database) == []
    assert recorded(database) == []


def test_a_replay_whose_rows_were_all_refused_again_has_nothing_to_record(
    shop: Settings, database: Engine, published: Callable[..., str]
) -> None:
    manifest = read_published(shop.lake, published(FIRST))
    assert manifest.gate is not None
    silent = [{**rule, "evaluated": False} for rule in manifest.gate["rules"]]
    manifest.model_copy(update={"gate": {**manifest.gate, "rules": silent}}).write(
        shop.lake.manifest(manifest.delivery_id)
    )
    assert mirror(shop.lake, database) == []
    assert recorded(database) == []


def test_a_verdict_older_than_suites_is_recorded(
    shop: Settings, database: Engine, published: Callable[..., str]
) -> None:
    manifest = read_published(shop.lake, published(FIRST))
    assert manifest.gate is not None
    old = [{name: rule[name] for name in OLD if name in rule} for rule in manifest.gate["rules"]]
    manifest.model_copy(update={"gate": {**manifest.gate, "rules": old}}).write(
        shop.lake.manifest(manifest.delivery_id)
    )
    mirror(shop.lake, database)
    assert {row["suite"] for row in recorded(database)} == {""}


OLD = ("rule", "severity", "evaluated", "success", "observed", "failing", "samples", "why")


def test_a_rules_trend_is_a_table_over_days(shop: Settings, database: Engine, published: Callable[..., str]) -> None:
    for offset, unpriced in enumerate((6, 12, 0)):
        published(FIRST + timedelta(days=offset), unpriced)
    mirror(shop.lake, database)
    found = trend(database, "price_present")
    assert found.schema == TREND
    assert found["day"].to_pylist() == found["last_day"].to_pylist() == [FIRST + timedelta(days=n) for n in range(3)]
    assert found["value"].to_pylist() == [0.1, 0.2, 0.0]
    assert found["success"].to_pylist() == [False, False, True]
    assert trend(database, "complete")["value"].to_pylist() == [60.0] * 3
    assert trend(database, "refused_share")["value"].to_pylist() == [0.0] * 3
    two = Span(FIRST + timedelta(days=1), FIRST + timedelta(days=3))
    assert trend(database, "price_present", span=two)["value"].to_pylist() == [0.2, 0.0]
    assert len(trend(database, "price_present", source="canonical")) == 3
    assert len(trend(database, "price_present", source="elsewhere")) == 0


def test_a_rule_of_a_suite_has_one_row_a_delivery(
    shop: Settings, database: Engine, published: Callable[..., str]
) -> None:
    published(FIRST)
    mirror(shop.lake, database)
    [row, *_] = recorded(database)
    with pytest.raises(IntegrityError), database.begin() as connection:
        connection.execute(insert(gate_results).values(row))


def test_a_home_without_deliveries_has_nothing_to_record(tmp_path: Path, settings: Settings, database: Engine) -> None:
    assert mirror(settings.lake, database) == []
