from __future__ import annotations

import pyarrow as pa
import pytest

from serving.interest import trend

pytestmark = pytest.mark.integration


def test_shares_strengths_and_trends(client):
    content = client.get("/v1/users/regular/interest").json()
    assert content["known"] is True
    assert content["moment"] == "2010-12-10T09:00:00Z"
    assert content["as_of"] == "2010-12-10T00:00:00Z"
    assert content["half_life_days"] == 30
    lamp, clock = content["categories"]
    assert (lamp["category"], clock["category"]) == ("lamp", "clock")
    assert lamp["share"] + clock["share"] == pytest.approx(1.0)
    # 12 lamps' worth ten days and nine hours ago, 4 clocks' worth two days and nine hours ago
    for row, worth, days in ((lamp, 12.0, 10.375), (clock, 4.0, 2.375)):
        assert row["strengths"] == {f"{life}d": pytest.approx(worth * 2 ** (-days / life)) for life in (1, 7, 30, 90)}
    assert (lamp["trend"], clock["trend"]) == ("falling", "rising")
    assert [event["item_id"] for event in content["last_events"]] == ["i003", "i001", "i001", "i001"]


def test_an_item_newer_than_the_model_counts_for_its_category(shop, opened):
    """The model was made before the shop had kettles; the log will say that i900 is one."""
    kettle = {"item_id": "i900", "title": "kettle i900", "category": "kettle", "price": 900}
    known = pa.concat_tables([shop.items(None), pa.Table.from_pylist([kettle], schema=shop.items(None).schema)])
    shop.items = lambda _: known
    with opened(shop) as client:
        event = {"user_id": "kettle-lover", "item_id": "i900", "event_type": "purchase", "event_id": "kettle-1"}
        assert client.post("/v1/events", json=event).status_code == 202
        content = client.get("/v1/users/kettle-lover/interest").json()
    assert [row["category"] for row in content["categories"]] == ["kettle"]


def test_an_unknown_user_has_an_empty_profile(client):
    content = client.get("/v1/users/nobody-knows/interest").json()
    assert content["known"] is False
    assert content["categories"] == []
    assert content["last_events"] == []


def test_without_a_store_interest_is_unavailable(client, shop, down, problem_of):
    shop.store.error = down
    answer = client.get("/v1/users/regular/interest")
    problem_of(answer, 503)
    assert answer.headers["retry-after"] == "5"


@pytest.mark.parametrize(
    ("short", "long", "expected"),
    [(0.5, 0.4, "rising"), (0.4, 0.5, "falling"), (0.49, 0.4, "stable"), (0.4, 0.49, "stable"), (0.1, 0.0, "rising")],
)
def test_a_trend_needs_a_quarter_more_or_less(short, long, expected):
    assert trend(short, long) == expected
