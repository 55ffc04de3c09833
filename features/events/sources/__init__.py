"""The sources that can be read, by name."""

from __future__ import annotations

from typing import Final

from features.events.sources.amazon_reviews import AMAZON_REVIEWS
from features.events.sources.canonical import CANONICAL, INBOX
from features.events.sources.online_retail import ONLINE_RETAIL
from features.events.sources.rees46 import REES46
from features.events.sources.retailrocket import RETAILROCKET
from features.events.sources.source import Catalogue, CategoryTree, Headerless, Source
from features.events.sources.taobao import TAOBAO
from infra.errors import DeliveryError

__all__ = ["SOURCES", "Catalogue", "CategoryTree", "Headerless", "Source", "source_named"]

_ALL: Final = (AMAZON_REVIEWS, CANONICAL, INBOX, ONLINE_RETAIL, REES46, RETAILROCKET, TAOBAO)
SOURCES: Final = {source.name: source for source in _ALL}


def source_named(name: str) -> Source:
    """The source called ``name``.

    Raises:
        DeliveryError: there is none.
    """
    if name not in SOURCES:
        raise DeliveryError(f"There is no source {name!r}.", f"Use one of {', '.join(SOURCES)}.")
    return SOURCES[name]
