"""Events that are pushed to Feast are in the next answer, as those that are posted."""

from __future__ import annotations

from uuid import uuid4

import pandas as pd
import pytest

from features.store.repository import open_store

pytestmark = pytest.mark.integration


def test_the_next_answer_knows_what_was_pushed_and_what_was_posted(client, api_settings):
    user = f"pushed-{uuid4()}"
    asked = f"/v1/users/{user}/interest"
    assert client.get(asked).json()["known"] is False
    common = {"user_id": user, "item_id": "i007", "event_type": "cart"}
    rows = pd.DataFrame([{**common, "event_id": f"{user}-1", "occurred_at": "2010-12-10T08:00:00+00:00"}])
    open_store(api_settings).push("events", rows)
    assert [event["event_type"] for event in client.get(asked).json()["last_events"]] == ["cart"]
    assert client.post("/v1/events", json={**common, "event_type": "view"}).status_code == 202
    late = rows.assign(event_id=f"{user}-2", event_type="click", occurred_at="2010-12-10T07:00:00+00:00")
    open_store(api_settings).push("events", late)
    assert [event["event_type"] for event in client.get(asked).json()["last_events"]] == ["view", "cart", "click"]


def test_the_same_event_pushed_and_posted_counts_once(client, api_settings):
    user = f"pushed-{uuid4()}"
    event = {"user_id": user, "item_id": "i007", "event_type": "view", "event_id": f"{user}-1"}
    event["occurred_at"] = "2010-12-10T08:00:00.000000+00:00"
    open_store(api_settings).push("events", pd.DataFrame([event]))
    assert client.post("/v1/events", json=event).json()["duplicate"] == 1
    assert len(client.get(f"/v1/users/{user}/interest").json()["last_events"]) == 1
