"""What the cleaning policy learned from a delivery's rows, and where the next delivery finds it."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict

ByType = Mapping[str, float]


class Learned(BaseModel):
    """What the policy learned from rows: per column and event type a limit, and a median; both whole units."""

    model_config = ConfigDict(frozen=True)

    policy: str = ""
    limits: Mapping[str, ByType] = {}
    medians: Mapping[str, ByType] = {}
