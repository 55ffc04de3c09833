"""What the API answers."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Answer(BaseModel):
    """Base of every answer: nothing that is not named here goes out."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_serialization_defaults_required=True)


class Price(Answer):
    """``amount`` in minor units: pence, cents."""

    amount: int
    currency: str


class PastEvent(Answer):
    """One event of the user; ``weight`` is its share of the model's attention, where a model gave some."""

    item_id: str
    title: str
    category: str | None
    event_type: str
    occurred_at: datetime
    weight: float | None = None


class Evidence(Answer):
    """The figures behind a reason."""

    times: int = Field(description="how often the user wanted this item")
    purchases: int = Field(description="how often the user bought it")
    last_at: datetime | None = Field(description="when last")
    category: str | None
    category_share: float = Field(description="share of the item's category in the user's interest")
    users: int = Field(description="customers who wanted the item in the last `days` days")
    days: int
    events: list[PastEvent] = Field(description="what the model looked at most, where it says")


class Reason(Answer):
    """Why an item is in the list."""

    text: str
    kind: Literal["bought", "wanted", "category", "popular", "range"]
    evidence: Evidence


class Recommendation(Answer):
    item_id: str
    title: str
    category: str | None
    price: Price | None
    score: float | None = Field(description="the model's; comparable within this answer; null without a model")
    reason: str
    because: Reason


class ServedModel(Answer):
    name: str
    version: int
    kind: Literal["baseline", "model"]


class Recommendations(Answer):
    """Items for one user, the best first, each once."""

    user_id: str
    known: bool = Field(description="false: the user was never seen, and gets what is popular")
    model: ServedModel | None
    moment: datetime = Field(description="of the answer, by the shop's clock")
    as_of: datetime | None = Field(description="end of the last closed day in the features; later events are live")
    degraded: bool = Field(description="true: something is missing, `fallback` says what")
    fallback: Literal["no_model", "no_features", "model_failed", "live_events_incomplete"] | None
    items: list[Recommendation]


class CategoryInterest(Answer):
    category: str
    share: float = Field(description="at the profile's half-life; shares sum to 1")
    strengths: dict[str, float] = Field(description="decayed strength by half-life, such as 30d")
    trend: Literal["rising", "falling", "stable"] = Field(
        description="share at the half-life before the middle one against the longest: "
        "rising from `trend_threshold` times, falling from one over it"
    )


class Interest(Answer):
    """What a user is interested in, at a moment."""

    user_id: str
    known: bool
    moment: datetime
    as_of: datetime | None
    degraded: bool = Field(description="true: live events may be missing")
    half_life_days: int = Field(description="of the shares")
    trend_threshold: float
    categories: list[CategoryInterest] = Field(description="the strongest first")
    last_events: list[PastEvent] = Field(description="the latest first")


class EventStatus(Answer):
    event_id: str
    status: Literal["accepted", "duplicate"]


class Taken(Answer):
    """What became of posted events, in their order."""

    accepted: int
    duplicate: int
    events: list[EventStatus]


class ServingModel(ServedModel):
    """What serves, since when and why, as the ledger has it."""

    since: datetime
    reason: str
    trained_on: str = Field(description="digest of the training set")
    feature_service: str = Field(description="Feast's name for the version of the features that it was trained on")
    git_commit: str
    trouble: str | None = Field(description="why the ledger's latest choice is not what serves, if so")


class Health(Answer):
    status: Literal["ok"]


class Readiness(Answer):
    """Every part: `ok`, or what is wrong with it."""

    status: Literal["ready"]
    parts: dict[str, str]
