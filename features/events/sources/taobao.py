"""Taobao user behaviour (Tianchi): page views, purchases, carts and favourites, to the second.

``UserBehavior.csv`` has no header: user, item, category, behaviour (pv, buy, cart, fav), seconds since 1970.
A line that is there twice is a slip. There are no prices and no titles.
"""

from __future__ import annotations

from typing import Final

from features.events.schema import CATEGORY_PATH, EVENT_TYPE, ITEM_ID, OCCURRED_AT, USER_ID
from features.events.sources.source import Headerless, Source

_COLUMNS: Final = ("user_id", "item_id", "category_id", "behavior_type", "timestamp")
_TYPES: Final = (
    "CASE lower({behavior_type}) WHEN 'pv' THEN 'view' WHEN 'buy' THEN 'purchase' WHEN 'fav' THEN 'favorite' "
    "ELSE lower({behavior_type}) END"
)

TAOBAO: Final = Source(
    name="taobao-user-behavior",
    required=_COLUMNS,
    columns={
        USER_ID: "identifier({user_id})",
        ITEM_ID: "identifier({item_id})",
        EVENT_TYPE: _TYPES,
        OCCURRED_AT: "{timestamp}",
    },
    item={CATEGORY_PATH: "identifier({category_id})"},
    headerless=Headerless(_COLUMNS, r"\d+,\d+,\d+,(pv|buy|cart|fav),-?\d{1,10}"),
)
