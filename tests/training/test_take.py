"""A training set holds what was known then, whatever comes later, through the feature store as it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from features.build import build
from features.days import due
from features.events.ingest import ingest
from features.events.publish import publish
from features.store.repository import apply
from infra.database import server_url
from infra.errors import FeatureError, TrainingError
from infra.partitions import Span
from infra.settings import Settings
from training.snapshot import Snapshot
from training.take import take

pytestmark = pytest.mark.integration

FIRST = date(2010, 1, 1)
HISTORY = Span(FIRST, FIRST + timedelta(days=12))
YESTERDAY = HISTORY.end
TODAY = YESTERDAY + timedelta(days=1)
HEADER = "user_id,item_id,event_type,occurred_at,session_id\n"


@pytest.fixture
def shop(services: Settings, tmp_path: Any, make_settings: Callable[..., Settings]) -> Iterator[Settings]:
    """A shop of twelve days and the day after them, built; PostgreSQL is the session's."""
    found = make_settings(
        tmp_path / "home",
        postgres_url=SecretStr(server_url(services).render_as_string(hide_password=False)),
        clock="2010-06-01T00:00:00+00:00",
        window_days=(1, 7),
        half_life_days=(7,),
        fresh_days=2,
        validation_days=2,
    )
    found.home.mkdir(parents=True)
    deliver(found, HISTORY, rows(HISTORY), bulk=True)
    deliver(found, Span.of_day(YESTERDAY), rows(Span.of_day(YESTERDAY)))
    build(found, Span(FIRST, TODAY))
    apply(found)
    yield found
    apply(services)  # the registry is shared: its files are again where others look for them


def rows(span: Span) -> str:
    """Two users buy something every day, Ann in the morning and Bob in the evening."""
    return "".join(
        f"{user},{user}-{day.day % 3},purchase,{day} {hour}:00:00,{user}-{day}\n"
        for day in span.days()
        for user, hour in (("ann", "09"), ("bob", "20"))
    )


def deliver(shop: Settings, span: Span, content: str, *, bulk: bool = False) -> None:
    """Deliver what a span's days say, at one in the morning after the last of them."""
    path = shop.home / f"{span.start}.csv"
    path.write_text(HEADER + content)
    delivered = datetime(span.end.year, span.end.month, span.end.day, 1, tzinfo=UTC)
    manifest = ingest(shop, "canonical", [path], span, bulk=bulk, delivered_at=delivered)
    publish(shop, [manifest.delivery_id], gated=False)


def correct(shop: Settings) -> datetime:
    """Today's delivery brings a basket of Ann's of three days ago, too; when that was known."""
    late = f"ann,forgotten,purchase,{YESTERDAY - timedelta(days=2)} 12:00:00,till\n"
    span = Span.of_day(TODAY)
    deliver(shop, span, rows(span) + late)
    build(shop, due(shop, span), only_new=True)
    return datetime(span.end.year, span.end.month, span.end.day, 1, tzinfo=UTC)


def test_a_backfilled_correction_does_not_change_yesterdays_training_set(shop: Settings) -> None:
    before = take(shop, YESTERDAY)
    correct(shop)
    assert take(shop, YESTERDAY).digest == before.digest
    # and not because nothing reads the correction
    assert baskets(take(shop, TODAY)) - baskets(before) >= {("ann", "forgotten")}


def test_late_rows_are_seen_from_the_moment_at_which_they_came(shop: Settings) -> None:
    correct(shop)
    after = TODAY + timedelta(days=1)
    deliver(shop, Span.of_day(after), rows(Span.of_day(after)))
    build(shop, due(shop, Span.of_day(after)), only_new=True)
    saw = {}
    for state in take(shop, after).states():
        if state.user_id == "ann":
            moment = datetime.fromtimestamp(state.moment_us / 1e6, UTC)
            held = {"forgotten" in state.sequence.items, "forgotten" in state.history.items}
            held.add("forgotten" in state.interest.categories or state.windows["purchase_items_7d"] == 4)
            saw[moment.date(), moment.hour] = held
    assert saw[TODAY, 9] == {False}
    assert saw[after, 9] == {True}


def test_windows_and_the_features_that_follow_are_in_the_training_set(shop: Settings) -> None:
    moments = take(shop, YESTERDAY).moments
    last = moments.slice(moments.num_rows - 1).to_pylist()[0]
    assert (last["user_id"], last["purchase_count_7d"], last["active_days_7d"]) == ("bob", 7, 7)
    assert last["purchase_trend"] == pytest.approx((7 - 5 / 4) / (7 + 5 / 4))
    assert last["purchase_last_us"] == us(datetime(2010, 1, 12, 20, tzinfo=UTC))
    assert last["sequence_gaps_us"][-1] == us(datetime(1970, 1, 2, tzinfo=UTC))


def test_there_is_no_training_set_of_days_before_the_history(shop: Settings) -> None:
    with pytest.raises(TrainingError, match=rf"The day 1990-01-01 is not closed; the last one is {YESTERDAY}"):
        take(shop, date(1990, 1, 1))
    assert not shop.lake.snapshot("any").parent.exists()


def test_days_that_are_not_built_are_named_and_not_lost(shop: Settings) -> None:
    deliver(shop, Span.of_day(TODAY), rows(Span.of_day(TODAY)))
    with pytest.raises(FeatureError, match=rf"{TODAY} is not built\. Run build_features, or .*--day {TODAY} --feat"):
        take(shop)
    assert take(shop, YESTERDAY).meta["through"] == str(YESTERDAY)
    content = shop.lake.built(FIRST).read_bytes()
    shop.lake.built(FIRST).unlink()  # as a build leaves it that was killed
    with pytest.raises(FeatureError, match=rf"{FIRST} is not built"):
        take(shop, YESTERDAY)
    shop.lake.built(FIRST).write_bytes(content)
    other = shop.model_copy(update={"session_minutes": 5})
    with pytest.raises(FeatureError, match=rf"{FIRST}, .* and 3 more are built by other definitions or settings"):
        take(other, YESTERDAY)


def baskets(snapshot: Snapshot) -> set[tuple[str, str]]:
    return {(row["user_id"], item) for row in snapshot.moments.to_pylist() for item in row["targets"]}


def us(moment: datetime) -> int:
    return round(moment.timestamp() * 1_000_000)
