"""The view ``user_last_event``, what a user did last, as data; ``features.store.last_event`` brings it to Feast."""

from __future__ import annotations

from typing import Final

from features.events.schema import DWELL_MS, EVENT_ID, EVENT_TYPE, ITEM_ID, PRICE, QUANTITY, USER_ID
from features.view import MILLISECONDS, MONEY, Feature, View

#: By feature the column of the event. Names of their own: an item's id is an entity elsewhere.
COLUMN_OF: Final = {f"last_{name}": name for name in (EVENT_ID, EVENT_TYPE, ITEM_ID, DWELL_MS, QUANTITY, PRICE)}

USER_LAST_EVENT: Final = "user_last_event"
LAST_EVENT: Final = View(
    USER_LAST_EVENT,
    USER_ID,
    (
        Feature("last_event_id", "string", "", "id of the event"),
        Feature("last_event_type", "string", "", "what the user did"),
        Feature("last_item_id", "string", "", "its item; null for a login or a search"),
        Feature("last_dwell_ms", "int64", MILLISECONDS, "dwell time; null when unknown"),
        Feature("last_quantity", "int64", "pieces", "how many; null without any"),
        Feature("last_price", "int64", MONEY, "price of one piece; null when unknown"),
    ),
    None,
    "The user's last event, from the published log; online it is the last in the inbox, and null once that has let go "
    "of it (keep_inbox_days).",
)
