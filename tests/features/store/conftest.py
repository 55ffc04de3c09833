"""A shop of eight days, built and online, for all tests of the store."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any

import pytest

from features.build import build
from features.store.materialise import WATERMARK, materialise
from infra.partitions import Span
from infra.settings import Settings
from infra.valkey import valkey

START = date(2011, 1, 3)
SPAN = Span(START, START + timedelta(days=8))
HOUR = 3_600_000_000
WINDOWS = (1, 3)


@pytest.fixture(scope="module")
def store(services: Settings, shop_of: Any, log: Any) -> Iterator[Any]:
    """A shop of eight days, built and online; its servers are the session's, its Feast project's rows its own."""
    settings = services.model_copy(update={"window_days": WINDOWS, "api_timeout_ms": 10_000})
    shutil.rmtree(settings.lake.root, ignore_errors=True)
    shop = shop_of(settings)
    shop.items({"st-i1": "mug", "st-i2": "lamp"})
    shop.publish(SPAN, log(settings))
    build(settings, SPAN)
    materialise(settings, Span(START, START + timedelta(days=6)))
    yield shop
    with valkey(settings) as client:
        client.delete(WATERMARK)
    shutil.rmtree(settings.lake.root, ignore_errors=True)


@pytest.fixture(scope="session")
def log(event_of: Any) -> Callable[[Settings], list[dict[str, Any]]]:
    """The events of the eight days."""

    def made(settings: Settings) -> list[dict[str, Any]]:
        def event(day: int, number: int, **fields: Any) -> dict[str, Any]:
            made = {"user_id": "st-u1", "item_id": "st-i1", "event_id": f"st-{day}-{number}", **fields}
            return dict(event_of(settings, START + timedelta(days=day), number * HOUR, country="Norway", **made))

        return [
            event(0, 1, event_type="purchase", quantity=1, price=200),
            event(0, 2, item_id="st-i2", dwell_ms=1000),
            event(1, 1, user_id="st-u2", event_type="cart"),
            event(4, 1, user_id="st-u2"),
            event(5, 1, item_id="st-i2", event_type="purchase", quantity=1, price=300),
            event(7, 1, event_type="favorite"),
        ]

    return made
