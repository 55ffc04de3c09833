"""A day is compared with the shop's own past: what is unlike it is a warning."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from features.events.ingest import ingest
from features.events.publish import publish
from infra.lake import read_json, write_json
from infra.partitions import Span
from infra.settings import Settings, load_settings
from validation.calendar import unlike_others
from validation.gate_result import GateResult
from validation.history import FIGURES, Figure, figures, history_rules
from validation.partition_gate import check

pytestmark = pytest.mark.thorough  # seconds in sum

DAY = date(2010, 12, 1)  # a Wednesday
LAST = timedelta(hours=20)
ROWS = 60


def log(day: date, rows: int = ROWS, **differs: Any) -> list[dict[str, Any]]:
    """One row in ten is a guest's, one in twenty a return; the last one is at eight in the evening."""
    end = datetime(day.year, day.month, day.day, tzinfo=UTC) + LAST
    return [
        {
            "user_id": None if n % 10 == 0 else f"u{n % 7}",
            "item_id": f"i{n % 40}",
            "event_type": "return" if n % 20 == 1 else "purchase",
            "occurred_at": (end - timedelta(minutes=n)).isoformat(),
            "price": 100 + n,
            **{name: value(n) for name, value in differs.items()},
        }
        for n in range(rows)
    ]


Judge = Callable[..., GateResult]


def take(settings: Settings, day: date, rows: list[dict[str, Any]]) -> str:
    """Stage a day's rows; the delivery."""
    path = settings.home / f"{day}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [",".join("" if cell is None else str(cell) for cell in row.values()) for row in rows]
    path.write_text("\n".join(["user_id,item_id,event_type,occurred_at,price", *lines, ""]))
    delivered = datetime(day.year, day.month, day.day, 2, tzinfo=UTC) + timedelta(days=1)
    span = Span.of_day(day)
    return ingest(settings, "canonical", [path], span, bulk=False, delivered_at=delivered).delivery_id


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory, make_settings: Callable[..., Settings]) -> Path:
    """The home of a shop with ten closed days, two of them without rows, the others much alike."""
    settings = make_settings(tmp_path_factory.mktemp("past") / "home", clock="2011-01-10T00:00:00+00:00")
    for offset in range(10, 0, -1):
        day = DAY - timedelta(days=offset)
        if offset in (3, 4):
            moment = datetime(2010, 12, 1, tzinfo=UTC)
            keywords: Any = {"bulk": False, "delivered_at": moment, "closed": "empty", "reason": "-"}
            delivery = ingest(settings, "canonical", [], Span.of_day(day), **keywords).delivery_id
        else:
            delivery = take(settings, day, log(day, ROWS + offset))
        publish(settings, [delivery], gated=False)
    return settings.home


@pytest.fixture
def judge(shop: Settings, past: Path) -> Judge:
    """The verdict on a day after those of the past."""
    shutil.copytree(past, shop.home)

    def make(rows: list[dict[str, Any]], day: date = DAY, **changed: Any) -> GateResult:
        settings = shop.model_copy(update=changed)
        return check(settings, take(settings, day, rows), Span.of_day(day))

    return make


@pytest.mark.parametrize(
    ("rows", "warnings"),
    [
        (log(DAY), set()),
        (log(DAY, 5), {"row_count", "return_share", "purchase_share"}),
        (log(DAY, 600, price=lambda n: 100 + n % 60), {"row_count"}),
        (log(DAY, event_type=lambda n: "return" if n % 2 else "purchase"), {"return_share", "purchase_share"}),
        (log(DAY, event_type=lambda _: "view"), {"view_share", "purchase_share"}),
        (log(DAY, user_id=lambda n: None if n % 2 else "u"), {"guest_share"}),
        (log(DAY, item_id=lambda n: f"new{n}" if n % 2 else f"i{n}"), {"new_item_share"}),
        (log(DAY, price=lambda n: 10_000 + n), {"price_median"}),
        (log(DAY, price=lambda n: 1 + n % 3), {"price_median"}),
        (log(DAY, occurred_at=lambda n: f"{DAY} 10:{n:02}:00"), {"idle_minutes"}),
    ],
)
def test_what_is_unlike_the_past_is_a_warning(judge: Judge, rows: list[dict[str, Any]], warnings: set[str]) -> None:
    result = judge(rows)
    assert result.passed
    assert set(result.warnings) == warnings
    found = {rule.rule: rule for rule in result.rules if rule.suite == "history"}
    assert found["row_count"].observed == len(rows)
    assert {"guest_share", "new_item_share", "idle_minutes", "purchase_share"} <= found.keys()
    assert ("price_median" in found) == any(row["event_type"] == "purchase" for row in rows)
    assert "search_share" not in found


def test_a_weekend_and_a_holiday_are_borne_with(judge: Judge) -> None:
    """A third of the usual rows: too few on a Wednesday, enough on a Saturday, a holiday, a weekend of one's own."""
    saturday = date(2010, 12, 4)
    few = {day: log(day, 22) for day in (DAY, saturday)}
    assert judge(few[DAY]).warnings == ("row_count",)
    assert judge(few[saturday], saturday).warnings == ()
    assert judge(few[saturday], saturday, weekend_days=("friday",)).warnings == ("row_count",)
    assert judge(few[DAY], weekend_days=("wednesday",)).warnings == ()
    assert judge(few[DAY], holidays="RO").warnings == ()  # the National Day
    assert judge(few[DAY], holidays="GB").warnings == ("row_count",)


def test_a_day_without_rows_of_its_own_is_unlike_any(judge: Judge) -> None:
    """All rows are late ones."""
    result = judge(log(DAY - timedelta(days=12)))
    assert [rule.observed for rule in result.rules if rule.rule == "row_count"] == [0]
    assert "row_count" in result.warnings


def test_seven_days_are_needed_for_each_figure(shop: Settings, judge: Judge) -> None:
    """Partitions that were closed before a figure was kept do not have it."""
    for day in shop.lake.closed_days()[:3]:
        partition = read_json(shop.lake.partition(day))
        del partition["by_source"]["canonical"]["price"]
        write_json(shop.lake.partition(day), partition)
    names = {rule.rule for rule in judge(log(DAY)).rules if rule.suite == "history"}
    assert "row_count" in names
    assert "price_median" not in names


def test_a_band_is_four_robust_deviations_wide_and_never_narrow() -> None:
    share = Figure("x", "share", 0.1)
    assert share.band([0.5] * 9, 1.0) == (0.4, 0.6)
    assert share.band([0.5] * 9, 2.0) == (0.3, 0.7)
    assert share.band([0.4, 0.5, 0.6] * 3, 1.0) == (0.0, 1.0)
    assert share.band([0.45, 0.5, 0.55, 0.5, 0.5], 1.0) == (0.4, 0.6)  # one odd day does not widen it
    assert Figure("x", "amount", 0.693147).band([100.0] * 9, 1.0) == (50.000009, 199.999964)
    assert Figure("x", "minutes", 120, upwards=True).band([60.0, 0.0, 120.0], 1.0) == (None, 415.824)


def test_figures_of_a_partition_of_before_are_fewer() -> None:
    old = {"rows": 10, "guests": 5, "mix": {"view": 10}}
    found = figures(old)
    assert (found["row_count"], found["guest_share"], found["view_share"], found["cart_share"]) == (10, 0.5, 1.0, 0.0)
    assert not {"price_median", "new_item_share", "idle_minutes"} & found.keys()


def test_every_figure_is_a_warning_only() -> None:
    past = [{figure.name: 0.5 for figure in FIGURES}] * 7
    rules = history_rules(past, past[0], "")
    assert [rule.name for rule in rules] == [figure.name for figure in FIGURES]
    assert {rule.severity for rule in rules} == {"warning"}
    assert history_rules(past[:6], past[0], "") == ()


@pytest.mark.parametrize(
    ("day", "changed", "why"),
    [
        (date(2010, 12, 4), {}, "Saturday"),
        (date(2010, 12, 5), {}, "Sunday"),
        (date(2010, 12, 6), {}, ""),
        (date(2010, 12, 4), {"weekend_days": ()}, ""),
        (date(2010, 12, 3), {"weekend_days": ("friday",)}, "Friday"),
        (date(2010, 11, 30), {"holidays": "GB-SCT"}, "Saint Andrew's Day"),
        (date(2010, 11, 30), {"holidays": "GB-ENG"}, ""),
    ],
)
def test_days_are_unlike_others(shop: Settings, day: date, changed: dict[str, Any], why: str) -> None:
    assert unlike_others(load_settings(shop.home, **changed), day) == why
