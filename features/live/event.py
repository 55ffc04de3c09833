"""One event since the last closed day, as the inbox and Valkey keep it for the next answer."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from features.state import Live


@dataclass(frozen=True, order=True)
class LiveEvent:
    """``occurred_us`` in microseconds since 1970 UTC; ``position`` is the inbox's, and breaks ties."""

    occurred_us: int
    position: int
    event_id: str
    event_type: str
    item_id: str | None = None
    dwell_ms: int = 0

    def member(self) -> bytes:
        """Equal events give equal bytes, so that adding one twice to a set changes nothing."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":")).encode()

    @classmethod
    def of_member(cls, member: bytes) -> LiveEvent:
        return cls(**json.loads(member))

    def seen(self, category: str) -> Live:
        """The event as ``features.advance.advance`` takes it."""
        moment, dwell_ms = self.occurred_us, self.dwell_ms
        return Live(self.item_id, category, self.event_type, moment, self.position, dwell_ms, self.event_id)
