"""Online Retail II (UCI): the invoice lines of a British gift wholesaler, to the minute.

A line is a purchase; a cancellation (invoice ``C…``, or a negative quantity) is a return of that many
pieces. Lines without a customer are guests'. A line repeated inside an invoice is a slip. Prices are
pounds a piece and become pence. The country is dropped: it belongs to the customer, and events have no
place for it.
"""

from __future__ import annotations

from typing import Final

from features.events.schema import (
    EVENT_TYPE,
    ITEM_ID,
    OCCURRED_AT,
    PRICE,
    QUANTITY,
    SESSION_ID,
    TITLE,
    USER_ID,
)
from features.events.sources.source import Source

NOT_A_PRODUCT: Final = "not_a_product"
PRICE_NOT_POSITIVE: Final = "price_not_positive"
INVOICE_MISSING: Final = "invoice_missing"
QUANTITY_MISSING: Final = "quantity_missing"
PRICE_MISSING: Final = "price_missing"
CANCELLATION_NOT_NEGATIVE: Final = "cancellation_not_negative"

# Services, book-keeping and vouchers. PADS (cushion pads), SP1002 and DCGS… are goods.
_SERVICES: Final = (
    "POST",  # postage
    "DOT",  # postage of the web shop
    "C2",  # carriage
    "C3",
    "M",  # manual entry
    "D",  # discount
    "S",  # samples
    "B",  # bad debt
    "BANK CHARGES",
    "AMAZONFEE",
    "CRUK",  # commission to a charity
)
_SERVICE_PREFIXES: Final = ("ADJUST", "TEST", "GIFT")

_NOT_A_PRODUCT: Final = " OR ".join(
    (f"{ITEM_ID} IN {_SERVICES!r}", *(f"starts_with({ITEM_ID}, '{prefix}')" for prefix in _SERVICE_PREFIXES))
)
_CANCELLED: Final = "starts_with(upper({Invoice}), 'C')"

ONLINE_RETAIL: Final = Source(
    name="online-retail",
    required=("Invoice", "StockCode", "Description", "Quantity", "InvoiceDate", "Price", "Customer ID"),
    optional=("Country",),
    columns={
        USER_ID: "identifier({Customer ID})",
        ITEM_ID: "upper(identifier({StockCode}))",
        EVENT_TYPE: f"CASE WHEN {_CANCELLED} OR starts_with({{Quantity}}, '-') THEN 'return' ELSE 'purchase' END",
        OCCURRED_AT: "{InvoiceDate}",
        SESSION_ID: "upper(identifier({Invoice}))",
        QUANTITY: "CASE WHEN starts_with({Quantity}, '-') THEN substr({Quantity}, 2) ELSE {Quantity} END",
        PRICE: "minor({Price})",
    },
    item={TITLE: "{Description}"},
    reasons=(
        (NOT_A_PRODUCT, _NOT_A_PRODUCT),
        (CANCELLATION_NOT_NEGATIVE, f"{_CANCELLED} AND NOT starts_with({{Quantity}}, '-')"),
        (INVOICE_MISSING, f"{SESSION_ID} IS NULL"),
        (QUANTITY_MISSING, "{Quantity} IS NULL"),
        (PRICE_MISSING, "{Price} IS NULL"),
        (PRICE_NOT_POSITIVE, f"{PRICE} <= 0"),
    ),
)
