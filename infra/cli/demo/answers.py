"""The demo as an application of the shop: asks the API, posts an event, asks again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import httpx

from features.events.log import event_files
from features.events.schema import EVENT_TYPE, ITEM_ID, OCCURRED_AT, USER_ID
from infra.errors import ServiceError
from infra.partitions import Span
from infra.settings import Settings

LIMIT = 10
#: A customer with about this many days of shopping: neither a stranger nor a wholesaler.
USUAL_DAYS = 12


@dataclass(frozen=True)
class Answers:
    """What the API said about one user before and after an event, and which event that was."""

    user_id: str
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
    """Ask for a regular customer, post that the customer bought something new, and ask again.

    Raises:
        ServiceError: the API does not answer, or with an error.
    """
    with httpx.Client(base_url=address, timeout=30) as client:
        user_id = regular_customer(settings, last_days)
        interest = _get(client, f"/v1/users/{user_id}/interest")
        before = _get(client, f"/v1/users/{user_id}/recommendations?limit={LIMIT}")
        event = {
            "event_type": "purchase",
            "user_id": user_id,
            "item_id": something_new(settings, last_days, user_id, _known_items(interest, before)),
            "quantity": 1,
        }
        _content(client.post("/v1/events", json=event))
        after = _get(client, f"/v1/users/{user_id}/recommendations?limit={LIMIT}")
    return Answers(user_id, interest, before, event, after)


def regular_customer(settings: Settings, last_days: Span) -> str:
    """A user of the last days whose number of shopping days is nearest to ``USUAL_DAYS``."""
    query = f"""
        SELECT {USER_ID} FROM events WHERE {USER_ID} IS NOT NULL GROUP BY 1
        HAVING max(CAST({OCCURRED_AT} AS DATE)) >= $first
        ORDER BY abs(count(DISTINCT CAST({OCCURRED_AT} AS DATE)) - {USUAL_DAYS}), 1 LIMIT 1"""  # noqa: S608 (constants)
    return _one(settings, query, {"first": last_days.start})


def something_new(settings: Settings, last_days: Span, user_id: str, known: set[str]) -> str:
    """The item that most customers bought in the last days among those that this one never touched."""
    query = f"""
        SELECT {ITEM_ID} FROM events WHERE {EVENT_TYPE} = 'purchase'
        AND CAST({OCCURRED_AT} AS DATE) >= $first AND NOT list_contains($known, {ITEM_ID})
        AND {ITEM_ID} NOT IN (SELECT {ITEM_ID} FROM events WHERE {USER_ID} = $user AND {ITEM_ID} IS NOT NULL)
        GROUP BY 1 ORDER BY count(DISTINCT {USER_ID}) DESC, 1 LIMIT 1"""  # noqa: S608 (constants)
    return _one(settings, query, {"first": last_days.start, "user": user_id, "known": sorted(known)})


def _one(settings: Settings, query: str, values: dict[str, str | date | list[str]]) -> str:
    import duckdb

    days = settings.lake.closed_days()
    files = [str(path) for path in event_files(settings.lake, Span(days[0], Span.of_day(days[-1]).end))]
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.read_parquet(files).create_view("events")
        return str(connection.execute(query, values).fetchall()[0][0])


def _known_items(interest: dict[str, Any], recommended: dict[str, Any]) -> set[str]:
    return {entry["item_id"] for entry in (*interest["last_events"], *recommended["items"])}


def _get(client: httpx.Client, path: str) -> dict[str, Any]:
    return _content(client.get(path))


def _content(answer: httpx.Response) -> dict[str, Any]:
    if answer.is_error:
        raise ServiceError(f"The API answered {answer.request.url} with {answer.status_code}: {answer.text[:500]}")
    return dict(answer.json())
