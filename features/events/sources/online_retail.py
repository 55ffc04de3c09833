"""Online Retail II (UCI): the invoice lines of a British gift wholesaler, to the minute.

A line is a purchase; a cancellation (invoice ``C…``, or a negative quantity) is a return of that many
pieces. Lines without a customer are guests'. A line repeated inside an invoice is a slip. Prices are
pounds a piece and become pence. ``Unspecified`` is no country.

Both years are read: the second one is spelled ``InvoiceNo``, ``UnitPrice``, ``CustomerID``, and one copy
of it is Latin-1 and writes ``12/1/2010 8:26``, month first. Copies go round without invoices or stock codes. An item
without a code is known by its description, and the lines of one customer (or guest) at one minute are one
basket. Without both codes and descriptions, or without quantity, date, price or customer, nothing can be
derived.
"""

from __future__ import annotations

from typing import Final

from features.events.schema import (
    COUNTRY,
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
_INVOICE: Final = "{Invoice|InvoiceNo}"
_CUSTOMER: Final = "{Customer ID|CustomerID}"
_PRICE: Final = "{Price|UnitPrice}"
_CANCELLED: Final = f"starts_with(upper({_INVOICE}), 'C')"
_BASKET: Final = f"coalesce(identifier({_CUSTOMER}), 'guest') || '@' || {{InvoiceDate}}"
_MONTH_FIRST: Final = "CASE WHEN contains({InvoiceDate}, '/') THEN try_strptime({InvoiceDate}, '%m/%d/%Y %H:%M') END"

ONLINE_RETAIL: Final = Source(
    name="online-retail",
    required=("StockCode|Description", "Quantity", "InvoiceDate", "Price|UnitPrice", "Customer ID|CustomerID"),
    optional=("Invoice|InvoiceNo", "StockCode", "Description", "Country"),
    columns={
        USER_ID: f"identifier({_CUSTOMER})",
        ITEM_ID: "CASE WHEN {?StockCode} THEN upper(identifier({StockCode})) "
        "ELSE upper(regexp_replace({Description}, '\\s+', ' ', 'g')) END",
        EVENT_TYPE: f"CASE WHEN {_CANCELLED} OR starts_with({{Quantity}}, '-') THEN 'return' ELSE 'purchase' END",
        OCCURRED_AT: f"coalesce(CAST({_MONTH_FIRST} AS VARCHAR), {{InvoiceDate}})",
        SESSION_ID: f"CASE WHEN {{?Invoice|InvoiceNo}} THEN upper(identifier({_INVOICE})) ELSE {_BASKET} END",
        QUANTITY: "CASE WHEN starts_with({Quantity}, '-') THEN substr({Quantity}, 2) ELSE {Quantity} END",
        PRICE: f"minor({_PRICE})",
        COUNTRY: "nullif({Country}, 'Unspecified')",
    },
    item={TITLE: "{Description}"},
    latin_1=True,
    reasons=(
        (NOT_A_PRODUCT, _NOT_A_PRODUCT),
        (CANCELLATION_NOT_NEGATIVE, f"{_CANCELLED} AND NOT starts_with({{Quantity}}, '-')"),
        (INVOICE_MISSING, f"{SESSION_ID} IS NULL"),
        (QUANTITY_MISSING, "{Quantity} IS NULL"),
        (PRICE_MISSING, f"{_PRICE} IS NULL"),
        (PRICE_NOT_POSITIVE, f"{PRICE} <= 0"),
    ),
)
