"""``store.push("events", frame)`` brings events in as the API does; nothing else of Feast writes what it should not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from feast import FeatureStore
from feast.data_source import PushMode
from sqlalchemy import Engine, select

from features.engine import default_engine
from features.events.arrivals import take_day
from features.events.log import event_files
from features.events.publish import publish
from features.last_event import COLUMN_OF, USER_LAST_EVENT
from features.live.intake import patient_for
from features.live.keys import keys
from features.store.last_event import EVENTS
from features.store.push import rows_of
from features.store.repository import apply, open_store
from infra.database import server_url
from infra.errors import DeliveryError, FeatureError, ServiceError
from infra.partitions import Span
from infra.settings import Settings
from infra.tables import inbox
from infra.valkey import valkey_url

pytestmark = pytest.mark.integration

DAY = date(1999, 12, 1)
NOON = datetime(1999, 12, 1, 12, tzinfo=UTC)
FEATURES = [f"{USER_LAST_EVENT}:{name}" for name in COLUMN_OF]


@pytest.fixture
def mall(
    tmp_path: Path, make_settings: Callable[..., Settings], services: Settings, database: Engine
) -> Iterator[Settings]:
    """A lake of this test's own, at the day after ``DAY``, on the session's servers; its inbox is empty."""
    url = server_url(services).render_as_string(hide_password=False)
    clock = {"clock": "1999-12-02T00:00:00+00:00", "api_timeout_ms": 10_000}
    found = make_settings(tmp_path / "mall", postgres_url=url, valkey_url=valkey_url(services), **clock)
    apply(found)
    yield found
    with patient_for(found, 500) as client:
        client.delete(*(key for user in ("pu-1", "pu-2") for key in keys(user)))


def frame(*rows: dict[str, Any]) -> pd.DataFrame:
    """Views of pu-1 at noon of ``DAY``, and what differs from that."""
    common = {"user_id": "pu-1", "item_id": "i", "event_type": "view", "occurred_at": pd.Timestamp(NOON)}
    return pd.DataFrame([{"event_id": f"push-{number}", **common, **row} for number, row in enumerate(rows)])


def stored(database: Engine) -> list[dict[str, Any]]:
    with database.connect() as connection:
        return [dict(row.payload) for row in connection.execute(select(inbox).order_by(inbox.c.position))]


def last_of(settings: Settings, *users: str) -> list[tuple[Any, Any]]:
    """Id and type of each user's last event, as Feast's own online retrieval has it."""
    found = open_store(settings).get_online_features(FEATURES, [{"user_id": user} for user in users]).to_dict()
    return list(zip(found["last_event_id"], found["last_event_type"], strict=True))


def test_pushed_events_are_in_the_lake_after_the_next_ingest(mall: Settings, database: Engine) -> None:
    open_store(mall).push(EVENTS, frame({}, {"event_type": "purchase", "quantity": 2, "price": 1999}))
    folder = mall.lake.landing_day("canonical", DAY)
    folder.mkdir(parents=True)
    (folder / "_CLOSED").touch()
    manifests = take_day(mall, "canonical", DAY, database)
    publish(mall, [manifest.delivery_id for manifest in manifests], gated=False)
    rows = [row for path in event_files(mall.lake, Span.of_day(DAY)) for row in pq.ParquetFile(path).read().to_pylist()]
    assert [(row["event_id"], row["quantity"], row["price"]) for row in rows] == [
        ("push-0", None, None),
        ("push-1", 2, 1999),
    ]
    moments = [NOON - timedelta(hours=1), NOON + timedelta(days=2)]
    asked = pd.DataFrame({"user_id": ["pu-1"] * 2, "event_timestamp": moments})
    with default_engine(mall):
        job = open_store(mall).get_historical_features(asked, FEATURES, filter_by_created_timestamp=True)
        past = job.to_df().sort_values("event_timestamp")
    assert past["last_item_id"].tolist()[1] == "i"
    assert past["last_item_id"].isna().tolist() == [True, False]


@pytest.mark.parametrize("to", list(PushMode))
def test_wherever_it_is_pushed_to_an_event_is_filed_once(mall: Settings, database: Engine, to: PushMode) -> None:
    store = open_store(mall)
    store.push(EVENTS, frame({}), to=to)
    asyncio.run(store.push_async(EVENTS, frame({}), to=to))
    assert [payload["event_id"] for payload in stored(database)] == ["push-0"]


def test_what_a_frame_cannot_say_is_not_said(mall: Settings, database: Engine) -> None:
    """pandas makes floats of whole numbers beside a missing one, and has three words for missing."""
    rows = frame({"dwell_ms": 42_000, "rating": 4.5}, {"user_id": None, "text": "good"}, {"occurred_at": pd.NaT})
    open_store(mall).push(EVENTS, rows)
    first, guest, undated = stored(database)
    assert (first["dwell_ms"], first["rating"], "text" in first) == (42_000, 4.5, False)
    assert ("user_id" in guest, guest["text"]) == (False, "good")
    assert undated["occurred_at"] == "1999-12-02T00:00:00.000000+00:00"
    assert isinstance(rows_of(rows)[0]["dwell_ms"], int)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"event_type": "glance"}, "row 1, event_type: must be one of impression"),
        ({"item_id": None}, "row 1: item_id is needed by a view"),
        ({"occurred_at": pd.Timestamp(NOON + timedelta(days=9))}, "row 1, occurred_at: is after the shop's clock"),
        ({"occurred_at": pd.Timestamp("1999-12-01")}, "row 1, occurred_at: .*timezone"),
        ({"user_id": 13085}, "row 1, user_id: .*string"),
        ({"quantity": 1.5}, "row 1, quantity: .*integer"),
        ({"colour": "red"}, "row 1, colour: Extra inputs"),
        ({"text": ["a", "list"]}, "row 1, text: .*string"),
    ],
)
def test_one_bad_row_and_nothing_is_stored(mall: Settings, database: Engine, row: dict[str, Any], said: str) -> None:
    with pytest.raises(DeliveryError, match=f"No event was stored: {said}"):
        open_store(mall).push(EVENTS, frame({}, row))
    assert stored(database) == []


def test_a_frame_without_rows_stores_nothing(mall: Settings, database: Engine) -> None:
    open_store(mall).push(EVENTS, frame({}).head(0))
    assert stored(database) == []


def test_an_id_of_another_event_and_nothing_is_stored(mall: Settings, database: Engine) -> None:
    store = open_store(mall)
    store.push(EVENTS, frame({}))
    with pytest.raises(DeliveryError, match="'push-0' first; nothing was stored"):
        store.push(EVENTS, frame({"event_type": "cart"}, {}))
    assert [payload["event_type"] for payload in stored(database)] == ["view"]


def test_more_than_the_api_takes_at_once_is_refused(mall: Settings, database: Engine) -> None:
    few = mall.model_copy(update={"api_batch_events": 1})
    with pytest.raises(DeliveryError, match=r"2 events are more than the 1 .*penchant ingest"):
        open_store(few).push(EVENTS, frame({}, {}))
    assert stored(database) == []


def test_a_database_that_is_down_is_said(mall: Settings) -> None:
    store = open_store(mall)
    store._settings = mall.model_copy(update={"postgres_url": type(mall.valkey_url)("postgresql://127.0.0.1:9")})
    with pytest.raises(ServiceError, match="the database does not answer"):
        store.push(EVENTS, frame({}))


def test_an_older_event_pushed_late_takes_no_newer_ones_place(mall: Settings) -> None:
    store = open_store(mall)
    store.push(EVENTS, frame({"event_type": "cart"}))
    store.push(EVENTS, frame({"event_id": "late", "occurred_at": pd.Timestamp(NOON - timedelta(seconds=1))}))
    assert last_of(mall, "pu-1", "pu-2") == [("push-0", "cart"), (None, None)]
    store.push(EVENTS, frame({"event_id": "same moment, later"}))
    assert last_of(mall, "pu-1") == [("same moment, later", "view")]
    store.push(EVENTS, frame({"event_id": "other user", "user_id": "pu-2"}))
    assert last_of(mall, "pu-2", "pu-1") == [("other user", "view"), ("same moment, later", "view")]


def test_the_last_event_is_read_beside_views_that_are_online(mall: Settings) -> None:
    store = open_store(mall)
    store.push(EVENTS, frame({"event_type": "cart"}))
    asked = ["user_last_event:last_event_type", "user_sequence:sequence_items"]
    found = store.get_online_features(asked, [{"user_id": "pu-1"}]).to_dict()
    assert (found["last_event_type"], found["sequence_items"]) == (["cart"], [None])
    found = asyncio.run(store.get_online_features_async(asked[:1], [{"user_id": "pu-1"}])).to_dict()
    assert found["last_event_type"] == ["cart"]


def test_a_store_that_does_not_know_the_inbox_refuses_events(mall: Settings, database: Engine) -> None:
    """Feast's own class, on the same configuration: what its server and its command line use."""
    plain = FeatureStore(config=open_store(mall).config)
    rows = frame({}).rename(columns={column: name for name, column in COLUMN_OF.items()})
    rows = rows.assign(last_dwell_ms=1, last_quantity=1, last_price=1, ingested_at=pd.Timestamp(NOON))
    with pytest.raises(FeatureError, match=r"Events cannot be pushed by this store: .*/v1/events"):
        plain.push(EVENTS, rows)
    assert stored(database) == []


def test_features_are_not_written_from_outside(mall: Settings) -> None:
    store = open_store(mall)
    view = store.get_feature_view("user_sequence")
    with pytest.raises(FeatureError, match=r"Rows of user_sequence cannot be written from outside"):
        store._get_provider().offline_write_batch(store.config, view, None, None)
