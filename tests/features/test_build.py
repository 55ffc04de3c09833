"""Building: what must be there, what is read, what a second time leaves."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from features import build as building
from features import chain
from features.advance import advance
from features.build import build
from features.days import built_days, due, unbuilt_through
from features.state import Live, from_row
from features.views import views_of
from infra.errors import FeatureError, LakeError
from infra.lake import DAILY, read_json, write_json
from infra.partitions import Span, day_end
from infra.settings import PROJECT, Settings

pytestmark = pytest.mark.thorough  # seconds in sum

START = date(2010, 1, 30)
SPAN = Span(START, START + timedelta(days=6))
HOUR = 3_600_000_000


@pytest.fixture
def settings(tmp_path: Path, make_settings: Callable[..., Settings]) -> Settings:
    """Few windows and half-lives: most of a small build's time goes into writing down the query."""
    return make_settings(tmp_path / "home", window_days=(1, 7), half_life_days=(7, 30))


@pytest.fixture
def shop(settings: Settings, shop_of: Any, event_of: Any) -> Any:
    """Two users over six days; the third day is empty."""
    made = shop_of(settings)
    made.items({"i1": "mug", "i2": "lamp"})
    days = [START + timedelta(days=number) for number in range(len(SPAN))]
    events = [
        event_of(settings, days[0], HOUR, event_id="a", event_type="purchase", quantity=2, price=150),
        event_of(settings, days[1], HOUR, event_id="b", item_id="i2", dwell_ms=60_000),
        event_of(settings, days[3], HOUR, event_id="c", user_id="u2", event_type="cart"),
        event_of(settings, days[4], HOUR, event_id="d", user_id=None, session_id="s", event_type="purchase"),
        event_of(settings, days[5], HOUR, event_id="e", item_id="i2", event_type="favorite"),
    ]
    made.publish(SPAN, events)
    return made


def test_a_changed_day_is_due_with_all_that_were_built_after_it(shop: Any) -> None:
    settings, last = shop.settings, Span.of_day(START + timedelta(days=5))
    build(settings, Span(START, last.start))
    assert due(settings, last) == last
    changed = settings.lake.partition(START + timedelta(days=1))
    write_json(changed, {**read_json(changed), "known_at": "2010-02-03T12:00:00+00:00"})
    assert due(settings, Span.of_day(START)) == Span(START, last.start)
    assert due(settings, last) == Span(START + timedelta(days=1), last.end)
    build(settings, due(settings, last))
    assert due(settings, last) == last


@pytest.mark.parametrize("what", ["rows", "digest", "deliveries"])
def test_whether_a_day_changed_is_told_by_its_content(shop: Any, what: str) -> None:
    """Written again, or laid out in other files, it is what it was."""
    settings, second = shop.settings, START + timedelta(days=1)
    build(settings, SPAN)
    last, marker = Span.of_day(START + timedelta(days=5)), settings.lake.partition(second)
    write_json(marker, {**read_json(marker), "files": ["merged-1.parquet"], "gate": {"d1": None}})
    assert due(settings, last) == last
    write_json(marker, {**read_json(marker), what: ["something else"]})
    assert due(settings, last) == Span(second, SPAN.end)


def test_a_day_of_which_nothing_is_noted_is_due(shop: Any) -> None:
    """A build that was cut short, or of before it was noted what a day was made from."""
    build(shop.settings, SPAN)
    shop.lake.built(START).unlink()
    assert due(shop.settings, Span.of_day(START)) == SPAN


def test_a_day_is_due_when_features_are_defined_otherwise(shop: Any) -> None:
    build(shop.settings, SPAN)
    longer = shop.settings.model_copy(update={"session_minutes": 45})
    assert due(longer, Span.of_day(START)) == SPAN


def test_a_day_that_comes_after_later_ones_is_due_with_them(shop: Any) -> None:
    settings, third = shop.settings, START + timedelta(days=2)
    build(settings, SPAN)
    for view in views_of(settings):
        settings.lake.feature(view.name, third).unlink()
    assert due(settings, Span.of_day(third)) == Span(third, SPAN.end)
    assert due(settings, Span.of_day(START)) == Span.of_day(START)


def test_counts_rows_of_every_view(shop: Any) -> None:
    seen: list[tuple[str, int, int]] = []
    built = build(shop.settings, SPAN, lambda *step: seen.append(step))
    assert built["days"] == 6
    assert built["rows"]["tiles"] == 5
    assert built["rows"]["user_interest"] == 4
    assert [(at, of) for _name, at, of in seen] == [(at, 12) for at in range(1, 13)]
    assert built_days(shop.settings) == list(SPAN.days())


def test_an_empty_day_has_a_file_of_every_view_with_the_full_schema(shop: Any) -> None:
    build(shop.settings, SPAN)
    empty = START + timedelta(days=2)
    assert pq.read_schema(shop.lake.daily("tiles", empty)).names[0] == "user_id"
    for view in views_of(shop.settings):
        assert pq.read_schema(shop.lake.feature(view.name, empty)).equals(view.schema)


def test_a_build_goes_on_from_a_row_that_holds_no_longer(shop: Any) -> None:
    """Four days idle where users are forgotten after one: whoever comes back has a past."""
    settings = shop.settings.model_copy(update={"online_user_days": 1})
    last = SPAN.end - timedelta(days=1)
    build(settings, Span(START, last))
    build(settings, Span.of_day(last))
    [sequence] = shop.rows("user_sequence", SPAN)[last]
    assert sequence["sequence_items"] == ["i1", "i2", "i2"]
    [history] = shop.rows("user_items", SPAN)[last]
    assert history["history_times"] == [2, 1]


def test_a_span_without_events_is_built(settings: Settings, shop_of: Any) -> None:
    made = shop_of(settings)
    made.publish(SPAN, [])
    assert sum(build(settings, SPAN)["rows"].values()) == 0
    assert built_days(settings) == list(SPAN.days())


def test_building_again_gives_equal_bytes(shop: Any) -> None:
    """A part of the span alone as well."""
    build(shop.settings, SPAN)
    before = shop.bytes_of("tiles", "features")
    build(shop.settings, SPAN)
    assert shop.bytes_of("tiles", "features") == before
    build(shop.settings, Span(START + timedelta(days=1), START + timedelta(days=4)))
    assert states_equal(shop, before)


def test_two_builds_at_once_leave_what_one_leaves(shop: Any) -> None:
    """Of spans that overlap, whichever comes first."""
    build(shop.settings, SPAN)
    before = shop.bytes_of("tiles", "features")
    code = (
        "import sys; from datetime import date; from pathlib import Path; from features.build import build; "
        "from infra.partitions import Span; from infra.settings import load_settings; "
        "build(load_settings(Path(sys.argv[1]), window_days=(1, 7), half_life_days=(7, 30)), "
        "Span(*map(date.fromisoformat, sys.argv[2:])))"
    )
    spans = (Span(START, START + timedelta(days=4)), Span(START + timedelta(days=2), SPAN.end))
    command = [sys.executable, "-c", code, str(shop.settings.home)]
    runs = [subprocess.Popen([*command, str(span.start), str(span.end)], cwd=PROJECT) for span in spans]
    assert [run.wait(timeout=120) for run in runs] == [0, 0]
    assert states_equal(shop, before)


def test_days_after_the_span_change_nothing_in_it(shop: Any, event_of: Any) -> None:
    """Nothing at or after T is seen: the first rows are the same with and without a future."""
    part = Span(START, START + timedelta(days=3))
    build(shop.settings, part)
    before = shop.bytes_of("tiles", "features")
    build(shop.settings, SPAN)
    after = shop.bytes_of("tiles", "features")
    assert all(after[name] == content for name, content in before.items())


def test_the_moment_t_itself_belongs_to_the_next_day(settings: Settings, shop_of: Any, event_of: Any) -> None:
    made = shop_of(settings)
    last = event_of(settings, START, 24 * HOUR - 1, event_id="last")
    first = event_of(settings, START + timedelta(days=1), 0, event_id="first", item_id="i2")
    made.publish(SPAN, [last, first])
    build(settings, SPAN)
    rows = made.rows("user_windows", SPAN)
    assert rows[START][0]["view_count_1d"] == 1
    assert rows[START][0]["event_timestamp"] == day_end(START, settings.zone)
    assert rows[START + timedelta(days=1)][0]["view_count_1d"] == 1
    assert rows[START + timedelta(days=2)][0]["view_count_1d"] == 0


def test_spend_is_price_times_quantity(shop: Any) -> None:
    build(shop.settings, SPAN)
    assert shop.rows("user_windows", SPAN)[START][0]["purchase_spend_7d"] == 300


def test_guests_count_for_items_only(shop: Any) -> None:
    build(shop.settings, SPAN)
    day = START + timedelta(days=4)
    (row,) = (row for row in shop.rows("item_windows", SPAN)[day] if row["item_id"] == "i1")
    assert (row["item_purchase_count_1d"], row["item_purchase_users_1d"]) == (1, 0)

    assert shop.rows("user_sequence", SPAN)[day] == []


def test_a_day_that_is_not_closed_is_named(shop: Any) -> None:
    missing = START + timedelta(days=3)
    shop.lake.partition(missing).unlink()
    with pytest.raises(FeatureError, match=rf"{missing} is not closed.*penchant skip"):
        build(shop.settings, SPAN)


def test_a_gap_before_the_span_is_named(shop: Any) -> None:
    build(shop.settings, Span.of_day(START))
    missing = START + timedelta(days=1)
    shop.lake.partition(missing).unlink()
    with pytest.raises(FeatureError, match=rf"{missing} is not closed"):
        build(shop.settings, Span.of_day(START + timedelta(days=3)))


def test_days_that_are_closed_but_not_built_are_named(shop: Any) -> None:
    build(shop.settings, Span.of_day(START))
    due = unbuilt_through(shop.settings, START + timedelta(days=3))
    assert due == Span(START + timedelta(days=1), START + timedelta(days=4))
    with pytest.raises(FeatureError, match=f"Build the span {due}"):
        build(shop.settings, Span.of_day(START + timedelta(days=3)))


def test_a_row_is_known_when_all_days_before_it_were_closed(shop: Any) -> None:
    """A first day that was closed late makes the rows of the following days as young as itself."""
    late = datetime(2010, 2, 3, 12, tzinfo=UTC)
    marker = shop.lake.partition(START)
    write_json(marker, {**read_json(marker), "closed_at": late.isoformat(), "known": []})
    build(shop.settings, SPAN)
    rows = shop.rows("user_windows", SPAN)
    for day, found in rows.items():
        end = day_end(day, shop.settings.zone)
        assert {row["created_timestamp"] for row in found} <= {max(late, end + timedelta(hours=1))}


def test_an_item_is_what_it_was_at_the_moment(settings: Settings, shop_of: Any, event_of: Any) -> None:
    made = shop_of(settings)
    made.items({"i1": "mug"})
    second = START + timedelta(days=1)
    noon = datetime.combine(second, time(12), UTC)
    made.items({"i1": "cup"}, delivery="later", bulk=False, moment=noon)
    events = [event_of(settings, second, hour * HOUR, event_id=str(hour)) for hour in (11, 12, 13)]
    made.publish(Span(START, START + timedelta(days=2)), events)
    build(settings, Span(START, START + timedelta(days=2)))
    [row] = made.rows("user_sequence", Span.of_day(second))[second]
    assert row["sequence_categories"] == ["mug", "cup", "cup"]


def test_a_change_of_price_is_a_row_of_its_own(settings: Settings, shop_of: Any, event_of: Any) -> None:
    """Told on the day, in the middle of it, with nothing else happening; a week later the change has passed."""
    made = shop_of(settings)
    noon = datetime.combine(START + timedelta(days=2), time(12), UTC)
    made.items({"i1": "mug"}, bulk=False, moment=datetime.combine(START, time(6), UTC))
    made.items({"i1": "mug"}, delivery="dearer", bulk=False, moment=noon, price=150)
    span = Span(START, START + timedelta(days=12))
    made.publish(span, [event_of(settings, START, HOUR)])
    build(settings, span)
    names = ("item_price", "item_price_change", "item_first_us", "item_view_count_7d")
    found = {
        (day - START).days: [tuple(row[name] for name in names) for row in rows]
        for day, rows in made.rows("item_windows", span).items()
    }
    first = int(datetime.combine(START, time(6), UTC).timestamp()) * 1_000_000
    assert found[0] == [(100, 0.0, first, 1)]
    assert found[2] == [(150, 0.5, first, 1)]
    assert found[7] == [(150, 0.5, first, 0)]
    assert found[9] == [(150, 0.0, first, 0)]
    assert [day for day, rows in found.items() if rows] == [0, 1, 2, 7, 9]


def test_bots_are_left_out_of_what_is_said_about_items(settings: Settings, shop_of: Any, event_of: Any) -> None:
    made = shop_of(settings)
    events = [event_of(settings, START, HOUR + n, event_id=str(n), user_id=f"u{n}", is_bot=n > 0) for n in range(3)]
    made.publish(Span.of_day(START), events)
    build(settings, Span.of_day(START))
    [item] = made.rows("item_windows", Span.of_day(START))[START]
    assert (item["item_view_count_1d"], item["item_view_users_1d"]) == (1, 1)
    assert len(made.rows("user_windows", Span.of_day(START))[START]) == 3


@pytest.mark.parametrize("limit", [{"PIECE_DAYS": 2}, {"PIECE_EVENTS": 1}])
def test_long_and_crowded_spans_are_built_in_pieces(
    shop: Any, settings: Settings, monkeypatch: pytest.MonkeyPatch, limit: dict[str, int]
) -> None:
    build(settings, SPAN)
    names = ("user_windows", "item_windows", "user_sequence", "user_items")
    before = {name: shop.rows(name, SPAN) for name in names}
    for name, value in limit.items():
        monkeypatch.setattr(building, name, value)
    seen: list[str] = []
    build(settings, SPAN, lambda name, *_step: seen.append(name))
    assert len({name for name in seen if name.startswith("tiles")}) > 1
    assert {name: shop.rows(name, SPAN) for name in names} == before


def test_states_go_on_from_checkpoints(shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint stands for the files before it; building an old day again goes back behind it."""
    build(shop.settings, SPAN)
    before = shop.bytes_of("tiles", "features")
    monkeypatch.setattr(chain, "CHECKPOINT_DAYS", 2)
    for day in SPAN.days():
        build(shop.settings, Span.of_day(day))
    saved = [path.stem for path in sorted(shop.lake.checkpoint_folder("user_items").glob("*.parquet"))]
    assert saved == ["dt=2010-02-01", "dt=2010-02-03"]
    assert states_equal(shop, before)
    build(shop.settings, Span.of_day(START + timedelta(days=1)))
    assert not list(shop.lake.checkpoint_folder("user_items").glob("*.parquet"))
    assert states_equal(shop, before)
    last = Span.of_day(START + timedelta(days=5))
    build(shop.settings, last)
    assert states_equal(shop, before)


def test_a_day_reads_one_longest_window_and_the_last_checkpoint(
    settings: Settings, shop_of: Any, event_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never the history: what lies before may be damaged; the first day of the window may not."""
    monkeypatch.setattr(chain, "CHECKPOINT_DAYS", 2)
    made, last = shop_of(settings), START + timedelta(days=40)
    span, horizon = Span(START, last + timedelta(days=1)), last - timedelta(days=35)
    made.items({"i1": "mug", "i2": "lamp"})
    active = [START + timedelta(days=number) for number in (0, 2, 5, 33, 40)]
    made.publish(span, [event_of(settings, day, HOUR, event_id=str(day), event_type="purchase") for day in active])
    build(settings, Span(START, last))
    build(settings, Span.of_day(last))
    before = made.bytes_of(*DAILY, "features")
    lake = made.lake
    damaged = [*(lake.daily(kind, day) for kind in DAILY for day in Span(START, horizon).days())]
    damaged += [lake.feature(view.name, day) for view in views_of(settings) for day in Span(START, last).days()]
    # sessions may begin on the day before
    damaged += [lake.events(day, "d1") for day in Span(START, last - timedelta(days=1)).days()]
    for path in damaged:
        path.write_bytes(path.read_bytes()[:40])
    build(settings, Span.of_day(last))
    lost = {str(path.relative_to(lake.root)) for path in damaged}
    after = made.bytes_of(*DAILY, "features")
    assert {k: v for k, v in after.items() if k not in lost} == {k: v for k, v in before.items() if k not in lost}
    needed = lake.daily(DAILY[0], horizon)
    needed.write_bytes(b"")
    with pytest.raises(LakeError, match=str(horizon)):
        build(settings, Span.of_day(last))


def states_equal(shop: Any, before: dict[str, bytes]) -> bool:
    """Equal bytes but for interests, whose last bits depend on where a span begins (equal to 1e-9)."""
    now = shop.bytes_of("tiles", "features")
    return {k: v for k, v in now.items() if "interest" not in k} == {
        k: v for k, v in before.items() if "interest" not in k
    }


def test_a_row_of_long_ago_is_carried_on(settings: Settings, shop_of: Any, event_of: Any) -> None:
    """The state before a piece of a long span comes from the piece before, however long ago that row was."""
    made = shop_of(settings)
    made.items({"i1": "mug", "i2": "lamp"})
    later = START + timedelta(days=190)
    span = Span(START, later + timedelta(days=1))
    made.publish(
        span,
        [
            event_of(settings, START, 0, event_id="a", event_type="purchase"),
            event_of(settings, later, 0, event_id="b", item_id="i2"),
        ],
    )
    build(settings, span)
    (row,) = made.rows("user_interest", Span.of_day(later))[later]
    state = from_row("u1", made.rows("user_interest", Span.of_day(START))[START][0], (), settings.half_life_days)
    moment = int(day_end(later, settings.zone).timestamp()) * 1_000_000
    live = [Live("i2", "lamp", "view", moment - 24 * HOUR)]
    expected = advance(state, live, moment, sequence_length=50, history_items=10, session_minutes=30).interest
    assert tuple(row["interest_categories"]) == expected.categories
    found = [row[f"interest_{days}d"] for days in settings.half_life_days]
    np.testing.assert_allclose(found, expected.strengths.T, rtol=1e-9)
