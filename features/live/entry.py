"""A posted event made complete, as the inbox files it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from features.events.schema import CURRENCY, EVENT_ID, OCCURRED_AT, PRICE
from features.live.posted import PostedEvent


@dataclass(frozen=True)
class Entry:
    """One event as it will be filed: ``payload`` by column name; ``filled`` names what the server added."""

    event_id: str
    user_id: str | None
    occurred_at: datetime
    payload: dict[str, Any]
    filled: frozenset[str]

    def same_as(self, payload: dict[str, Any]) -> bool:
        """Whether ``payload``, filed before under this id, says the same."""
        return _without(self.payload, self.filled) == _without(payload, self.filled)


def entry_of(posted: PostedEvent, now: datetime, currency: str) -> Entry:
    """Complete one posted event: an id, the time and the currency where it names none."""
    payload = posted.model_dump(mode="json", exclude_none=True)
    added: dict[str, Any] = {EVENT_ID: payload.get(EVENT_ID) or str(uuid4()), OCCURRED_AT: posted.occurred_at or now}
    if PRICE in payload and CURRENCY not in payload:
        added[CURRENCY] = currency
    occurred_at = added[OCCURRED_AT].astimezone(UTC)
    filled = frozenset(added.keys() - payload.keys())
    payload |= {**added, OCCURRED_AT: occurred_at.isoformat(timespec="microseconds")}
    return Entry(payload[EVENT_ID], posted.user_id, occurred_at, payload, filled)


def _without(payload: dict[str, Any], names: frozenset[str]) -> dict[str, Any]:
    return {name: value for name, value in payload.items() if name not in names}
