"""Retailrocket: views, carts and transactions of a shop, to the millisecond, with item properties that change.

``events.csv`` is the log, ``item_properties_part*.csv`` say since when an item has a value of a property,
``category_tree.csv`` names each category's parent. All but two properties are hashed: of the other two,
``categoryid`` is kept and ``available`` is not, since events have no place for it. The tree lies beside the
properties; without it an item's category is known and the levels above it are not. There are no prices.
"""

from __future__ import annotations

from typing import Final

from features.events.schema import (
    CATEGORY_PATH,
    EVENT_TYPE,
    ITEM_ID,
    OCCURRED_AT,
    SESSION_ID,
    USER_ID,
    VALID_FROM,
)
from features.events.sources.source import Catalogue, CategoryTree, Source

_TYPES: Final = "CASE {event} WHEN 'addtocart' THEN 'cart' WHEN 'transaction' THEN 'purchase' ELSE {event} END"

RETAILROCKET: Final = Source(
    name="retailrocket",
    required=("timestamp", "visitorid", "event", "itemid"),
    optional=("transactionid",),
    columns={
        USER_ID: "identifier({visitorid})",
        ITEM_ID: "identifier({itemid})",
        EVENT_TYPE: _TYPES,
        OCCURRED_AT: "{timestamp}",
        SESSION_ID: "identifier({transactionid})",
    },
    catalogue=(
        Catalogue(
            required=("timestamp", "itemid", "property", "value"),
            columns={
                ITEM_ID: "identifier({itemid})",
                VALID_FROM: "{timestamp}",
                CATEGORY_PATH: "{value}",
            },
            unused="{property} <> 'categoryid'",
        ),
    ),
    tree=CategoryTree(required=("categoryid", "parentid"), category="{categoryid}", parent="{parentid}"),
)
