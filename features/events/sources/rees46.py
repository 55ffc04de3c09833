"""REES46 (multi-category and cosmetics shops): views, carts and purchases with prices, to the second.

``category_code`` (``electronics.smartphone``) is the path of an item's categories; where it is empty the
``category_id`` stands in. Prices are units of the shop's currency and become minor units. What is taken out
of a cart again has no place among events: such rows are refused as ``removed_from_cart``. A line that is
there twice is a slip.
"""

from __future__ import annotations

from typing import Final

from features.events.schema import (
    BRAND,
    CATEGORY_PATH,
    EVENT_TYPE,
    ITEM_ID,
    OCCURRED_AT,
    PRICE,
    SESSION_ID,
    USER_ID,
)
from features.events.sources.source import Source

REMOVED_FROM_CART: Final = "removed_from_cart"

REES46: Final = Source(
    name="rees46",
    required=("event_time", "event_type", "product_id", "category_id", "category_code", "price", "user_id"),
    optional=("brand", "user_session"),
    columns={
        USER_ID: "identifier({user_id})",
        ITEM_ID: "identifier({product_id})",
        # a type of ours, so that being of an unknown one is not held against the delivery as well
        EVENT_TYPE: "CASE WHEN lower({event_type}) = 'remove_from_cart' THEN 'cart' ELSE lower({event_type}) END",
        OCCURRED_AT: "{event_time}",
        SESSION_ID: "{user_session}",
        PRICE: "minor({price})",
    },
    item={
        CATEGORY_PATH: "coalesce(replace({category_code}, '.', ' > '), identifier({category_id}))",
        BRAND: "{brand}",
    },
    reasons=((REMOVED_FROM_CART, "lower({event_type}) = 'remove_from_cart'"),),
)
