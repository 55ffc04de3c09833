"""Events that come in our own vocabulary: CSV, JSON lines or Parquet with the schema's column names.

``item_id``, ``event_type`` and ``occurred_at`` must be there (``item_id`` may be null for a search or a
login); every other column may be. Prices are integer minor units; a time without an offset is the
shop's own. Where the source gives no ``event_id``, equal rows of a file are events that happened that many times.
``title``, ``category_path`` (``Root > Child``, or a list) and ``brand`` describe the item. Files of items
may lie beside: ``item_id`` and any of ``title``, ``category_path``, ``brand``, ``price``, ``valid_from``.
"""

from __future__ import annotations

from typing import Final

from features.events.schema import (
    BRAND,
    CAMPAIGN,
    CATEGORY_PATH,
    COUNTRY,
    CURRENCY,
    DWELL_MS,
    EVENT_ID,
    EVENT_TYPE,
    ITEM_ID,
    OCCURRED_AT,
    PRICE,
    QUANTITY,
    RATING,
    SESSION_ID,
    SOURCE_POSITION,
    TEXT,
    TITLE,
    USER_ID,
    VALID_FROM,
)
from features.events.sources.source import Catalogue, Source

_REQUIRED: Final = (ITEM_ID, EVENT_TYPE, OCCURRED_AT)
_AS_THEY_ARE: Final = (OCCURRED_AT, SOURCE_POSITION, DWELL_MS, QUANTITY, CURRENCY, RATING, TEXT)
# 4.00 is four pounds, not four pence; 4.0 is how pandas writes a whole number
_PRICE: Final = f"CASE WHEN regexp_matches({{{PRICE}}}, '\\.\\d\\d') THEN '?' || {{{PRICE}}} ELSE {{{PRICE}}} END"
_IDS: Final = (EVENT_ID, USER_ID, ITEM_ID, SESSION_ID, COUNTRY, CAMPAIGN)
_ITEM: Final = {TITLE: f"{{{TITLE}}}", CATEGORY_PATH: f"path({{{CATEGORY_PATH}}})", BRAND: f"{{{BRAND}}}"}
_CATALOGUE: Final = Catalogue(
    required=(ITEM_ID, "|".join((*_ITEM, PRICE))),
    columns={
        ITEM_ID: f"identifier({{{ITEM_ID}}})",
        VALID_FROM: f"{{{VALID_FROM}}}",
        PRICE: _PRICE,
        **_ITEM,
    },
)
_OPTIONAL: Final = tuple(column for column in (*_IDS, *_AS_THEY_ARE, PRICE, *_ITEM) if column not in _REQUIRED)


def canonical(name: str, id_text: str = "identifier({})") -> Source:
    """A source of canonical events under its own name; ``id_text`` is SQL for an id from its column."""
    return Source(
        name=name,
        required=_REQUIRED,
        optional=_OPTIONAL,
        columns={
            **{column: f"{{{column}}}" for column in _AS_THEY_ARE},
            **{column: id_text.format(f"{{{column}}}") for column in _IDS},
            EVENT_TYPE: f"lower({{{EVENT_TYPE}}})",
            CURRENCY: f"upper({{{CURRENCY}}})",
            PRICE: _PRICE,
        },
        item=_ITEM,
        repeats_are_events=True,
        catalogue=(_CATALOGUE,),
    )


CANONICAL: Final = canonical("canonical")
#: What was posted to the API, exported a day at a time; its ids are texts, and count at once as they are.
INBOX: Final = canonical("inbox", "{}")
