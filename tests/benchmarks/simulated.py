"""Homes of a simulated shop: its log drawn, ingested and published, so that what comes after can be measured alone."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from runs import stopwatch

from features.events.by_hand import take_files
from features.events.publish import publish
from features.events.simulator.shop import Shop
from features.events.simulator.simulate import simulate
from infra.partitions import Span
from infra.settings import Settings, load_settings

#: Deliveries of so many days: what ingest holds at once does not grow with the history.
DELIVERY_DAYS = 30
_LOG = "log"


def shop_of(options: Namespace) -> Shop:
    """The shop with ``options.events`` (about so many), ``users``, ``items`` and ``days``; ``options.steady``: whose
    days are all alike.
    """
    alike = {"season": 0.0, "new_users": 0.0, "new_items": 0.0} if getattr(options, "steady", 0) else {}
    return Shop.with_events(options.events, users=options.users, items=options.items, days=options.days, **alike)


def settings_of(home: Path, options: Namespace) -> Settings:
    """The settings in that shop's home: what a newcomer has, the day after the last day."""
    shop = shop_of(options)
    return load_settings(home / "home", clock=f"{shop.start + timedelta(days=shop.days + 1)}T12:00:00+00:00")


def span_of(options: Namespace) -> Span:
    shop = shop_of(options)
    return Span(shop.start, shop.start + timedelta(days=shop.days))


def draw(home: Path, options: Namespace) -> dict[str, Any]:
    """Write the log: ``events`` and ``seconds``."""
    with stopwatch() as taken:
        told = simulate(shop_of(options), home / _LOG)
    return {"events": told["events"], **taken}


def take(home: Path, options: Namespace) -> dict[str, Any]:
    """Ingest and publish the log, some days a delivery: ``accepted`` and ``seconds``."""
    settings, log, accepted = settings_of(home, options), home / _LOG / "log", 0
    with stopwatch() as taken:
        for piece in _pieces(span_of(options)):
            places = [str(log / "items.parquet"), *(str(log / f"dt={day}") for day in piece.days())]
            manifest = take_files(settings, places, source="canonical", span=piece, say=lambda _text: None)
            publish(settings, [manifest.delivery_id], gated=False)
            accepted += manifest.accepted
    return {"accepted": accepted, **taken}


def _pieces(span: Span) -> Iterator[Span]:
    start = span.start
    while start < span.end:
        end = min(start + timedelta(days=DELIVERY_DAYS), span.end)
        yield Span(start, end)
        start = end
