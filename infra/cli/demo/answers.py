"""The demo as an application of the shop: asks the API, posts an event, asks again."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import httpx

from features.events.log import event_files
from features.events.schema import OCCURRED_AT, USER_ID
from infra.errors import ServiceError
from infra.partitions import Span
from infra.settings import Settings

LIMIT = 10
PATIENCE = 10  # answers
#: A customer with about this many days of shopping: neither a stranger nor a wholesaler.
USUAL_DAYS = 12


@dataclass(frozen=True)
class Answers:
    """What the API said about one user before and after an event, which event that was, and its item's title."""

    user_id: str
    title: str
    interest: dict[str, Any]
    before: dict[str, Any]
    event: dict[str, Any]
    after: dict[str, Any]


def serves(address: str, version: int) -> bool:
    """Whether the API is ready and answers with this version by now: it follows the ledger within seconds."""
    try:
        ready, model = (httpx.get(f"{address}{path}", timeout=10) for path in ("/readyz", "/v1/model"))
    except httpx.TransportError:
        return False
    return ready.is_success and model.is_success and model.json()["version"] == version


def ask(address: str, settings: Settings, last_days: Span) -> Answers:
    """Ask for a regular customer, post a purchase of the item just below the list, and ask again.

    Raises:
        ServiceError: the API does not answer, or with an error.
    """
    with httpx.Client(base_url=address, timeout=30) as client:
        user_id = regular_customer(settings, last_days)
        interest = _get(client, f"/v1/users/{user_id}/interest")
        before = _recommended(client, user_id, LIMIT + 1)
        below = before["items"].pop()
        event = {"event_type": "purchase", "user_id": user_id, "item_id": below["item_id"], "quantity": 1}
        _content(client.post("/v1/events", json=event))
        after = _recommended(client, user_id, LIMIT)
    return Answers(user_id, below["title"], interest, before, event, after)


def regular_customer(settings: Settings, last_days: Span) -> str:
    """A user of the last days whose number of shopping days is nearest to ``USUAL_DAYS``."""
    import duckdb

    query = f"""
        SELECT {USER_ID} FROM events WHERE {USER_ID} IS NOT NULL GROUP BY 1
        HAVING max(CAST({OCCURRED_AT} AS DATE)) >= $first
        ORDER BY abs(count(DISTINCT CAST({OCCURRED_AT} AS DATE)) - {USUAL_DAYS}), 1 LIMIT 1"""
    days = settings.lake.closed_days()
    files = [str(path) for path in event_files(settings.lake, Span(days[0], Span.of_day(days[-1]).end))]
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.read_parquet(files).create_view("events")
        return str(connection.execute(query, {"first": last_days.start}).fetchall()[0][0])


def _recommended(client: httpx.Client, user_id: str, limit: int) -> dict[str, Any]:
    """An answer of the model, not what the API falls back to while something is missing."""
    for _ in range(PATIENCE):
        answer = _get(client, f"/v1/users/{user_id}/recommendations?limit={limit}")
        if not answer["degraded"]:
            return answer
        time.sleep(1)
    raise ServiceError(f"The API answers without its model: {answer['fallback']}.", "Its log is logs/api.log.")


def _get(client: httpx.Client, path: str) -> dict[str, Any]:
    return _content(client.get(path))


def _content(answer: httpx.Response) -> dict[str, Any]:
    if answer.is_error:
        raise ServiceError(f"The API answered {answer.request.url} with {answer.status_code}: {answer.text[:500]}")
    return dict(answer.json())
