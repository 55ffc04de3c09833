"""One event as clients give it, strictly read: by the API and by Feast's push alike."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic.config import JsonDict

from features.events.rules import AMOUNT_LIMIT, ID_LENGTH, QUANTITY_LIMIT, RATING_RANGE
from features.events.schema import EVENT_TYPES, WITHOUT_ITEM

EARLIEST: Final = datetime(1990, 1, 1, tzinfo=UTC)
TEXT_LENGTH: Final = 10_000
_LINES: Final = "\n\r\t"


def _printable(value: str) -> str:
    if any(unicodedata.category(sign) in ("Cc", "Cs") and sign not in _LINES for sign in value):
        raise ValueError("must not hold control characters")
    return value


def _plain(value: str) -> str:
    if any(sign in _LINES for sign in value):
        raise ValueError("must not hold control characters")
    return _printable(value)


def _known_type(value: str) -> str:
    if value not in EVENT_TYPES:
        raise ValueError(f"must be one of {', '.join(EVENT_TYPES)}")
    return value


Identifier = Annotated[str, Field(min_length=1, max_length=ID_LENGTH), AfterValidator(_plain)]
EventType = Annotated[str, AfterValidator(_known_type), Field(json_schema_extra={"enum": list(EVENT_TYPES)})]
Text = Annotated[str, Field(max_length=TEXT_LENGTH), AfterValidator(_printable)]
Amount = Annotated[int, Field(ge=0, le=AMOUNT_LIMIT)]
Pieces = Annotated[int, Field(ge=1, le=QUANTITY_LIMIT)]
Rating = Annotated[float, Field(ge=RATING_RANGE[0], le=RATING_RANGE[1], allow_inf_nan=False)]
Currency = Annotated[str, Field(pattern="^[A-Z]{3}$")]

EXAMPLE: Final[JsonDict] = {
    "event_id": "5f0c1c4e-view-1",
    "user_id": "13085",
    "item_id": "85048",
    "event_type": "view",
    "session_id": "s-77",
    "dwell_ms": 42000,
}


class PostedEvent(BaseModel):
    """One event; the names and meanings of ``features.events.schema``."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, json_schema_extra={"examples": [EXAMPLE]})

    event_id: Identifier | None = Field(
        None, description="Yours, so that sending it twice counts once; generated when absent."
    )
    user_id: Identifier | None = Field(None, description="Absent or null for a guest.")
    item_id: Identifier | None = Field(None, description="Needed by all types but login and search.")
    event_type: EventType
    occurred_at: AwareDatetime | None = Field(
        None, strict=False, description="ISO 8601 with an offset, not after the shop's clock; absent: now."
    )
    session_id: Identifier | None = None
    dwell_ms: Amount | None = Field(None, description="Dwell time, milliseconds.")
    quantity: Pieces | None = Field(None, description="Pieces; positive for a return too.")
    price: Amount | None = Field(None, description="Of one piece, in minor units (pence, cents).")
    currency: Currency | None = Field(None, description="ISO 4217; the shop's own when absent.")
    rating: Rating | None = None
    text: Text | None = Field(None, description="Of a review or a search.")
    country: Identifier | None = Field(None, description="Of the user, as the shop writes it.")
    campaign: Identifier | None = Field(None, description="That brought the user here.")

    @field_validator("occurred_at", mode="before")
    @classmethod
    def _written_as_date(cls, value: Any) -> Any:
        # pydantic would read numbers, and digits alone, as seconds since 1970
        if value is not None and not (isinstance(value, str) and re.match(r"\d{4}-\d{2}-\d{2}[Tt ]", value)):
            raise ValueError("must be an ISO 8601 moment such as 2010-12-10T09:30:00+00:00")
        return value

    @field_validator("occurred_at")
    @classmethod
    def _in_time(cls, value: datetime | None, info: ValidationInfo) -> datetime | None:
        latest: datetime = (info.context or {})["latest"]
        if value is not None and value > latest:
            raise ValueError(f"is after the shop's clock: must not be later than {latest.isoformat()}")
        if value is not None and value < EARLIEST:
            raise ValueError(f"must not be before {EARLIEST.date()}")
        return value

    @model_validator(mode="after")
    def _with_item(self) -> PostedEvent:
        if self.item_id is None and self.event_type not in WITHOUT_ITEM:
            raise ValueError(f"item_id is needed by a {self.event_type}")
        return self
