"""The sources that can be read, by name."""

from __future__ import annotations

from typing import Final

from features.events.sources.canonical import CANONICAL, INBOX
from features.events.sources.online_retail import ONLINE_RETAIL
from features.events.sources.source import Source
from infra.errors import DeliveryError

__all__ = ["SOURCES", "Source", "source_named"]

SOURCES: Final = {source.name: source for source in (CANONICAL, INBOX, ONLINE_RETAIL)}


def source_named(name: str) -> Source:
    """The source called ``name``.

    Raises:
        DeliveryError: there is none.
    """
    if name not in SOURCES:
        raise DeliveryError(f"There is no source {name!r}.", f"Use one of {', '.join(SOURCES)}.")
    return SOURCES[name]
