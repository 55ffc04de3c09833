"""Simulated events as a table in our own vocabulary."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.events.schema import (
    CURRENCY,
    DWELL_MS,
    EVENT_ID,
    EVENT_TYPE,
    EVENT_TYPES,
    ITEM_ID,
    OCCURRED_AT,
    PRICE,
    QUANTITY,
    RATING,
    SESSION_ID,
    USER_ID,
)
from features.events.simulator.behaviour import Flags, Happened
from features.events.simulator.shop import Floats, Ints, Shop, Truth
from features.events.simulator.visits import Visits

_LOGIN, _PURCHASE, _RETURN, _REVIEW = map(EVENT_TYPES.index, ("login", "purchase", "return", "review"))
_DAY_US: Final = 86_400_000_000
_MOMENT: Final = pa.timestamp("us", tz="UTC")

EVENTS: Final = pa.schema(
    [
        pa.field(EVENT_ID, pa.string()),
        pa.field(USER_ID, pa.string()),
        pa.field(SESSION_ID, pa.string()),
        pa.field(ITEM_ID, pa.string()),
        pa.field(EVENT_TYPE, pa.string()),
        pa.field(OCCURRED_AT, _MOMENT),
        pa.field(DWELL_MS, pa.int64()),
        pa.field(QUANTITY, pa.int64()),
        pa.field(PRICE, pa.int64()),
        pa.field(CURRENCY, pa.string()),
        pa.field(RATING, pa.float64()),
    ]
)


def table_of(
    shop: Shop, truth: Truth, block: int, visits: Visits, happened: Happened, draw: np.random.Generator
) -> tuple[pa.Table, Ints]:
    """The events of a block of users in order of time, and the day of each, from 0."""
    moment = (happened.at * _DAY_US).astype(np.int64)
    order = np.lexsort((happened.item, happened.kind, moment, happened.visit))
    order = order[np.argsort(moment[order], kind="stable")]
    happened, moment = happened.where(order), moment[order]
    paid = np.isin(happened.kind, (_PURCHASE, _RETURN))
    reviewed = happened.kind == _REVIEW
    item = happened.item
    started = int(datetime.combine(shop.start, time(), UTC).timestamp()) * 1_000_000
    columns = {
        EVENT_ID: _names(f"sim-{block}-", np.arange(len(happened))),
        USER_ID: _names("sim-u", visits.user[happened.visit], ~_nobody(shop, visits, happened, draw)),
        SESSION_ID: _names(f"sim-s{block}-", happened.visit),
        ITEM_ID: _names("sim-i", item, item >= 0),
        EVENT_TYPE: pa.DictionaryArray.from_arrays(happened.kind.astype(np.int8), list(EVENT_TYPES)).cast(pa.string()),
        OCCURRED_AT: pa.array(started + moment).cast(_MOMENT),
        DWELL_MS: pa.array(happened.dwell_ms, mask=happened.dwell_ms == 0),
        QUANTITY: pa.array(1 + draw.poisson(0.2, len(item)), mask=~paid),
        PRICE: pa.array(truth.price_of_item[item], mask=~paid),
        CURRENCY: pa.DictionaryArray.from_arrays(pa.array(np.zeros(len(item), np.int8), mask=~paid), ["EUR"]).cast(
            pa.string()
        ),
        RATING: pa.array(_ratings(len(item), draw), mask=~reviewed),
    }
    return pa.table(columns, EVENTS), moment // _DAY_US


def _nobody(shop: Shop, visits: Visits, happened: Happened, draw: np.random.Generator) -> Flags:
    """Which events have no user: those of guests' visits, and those before the login of their visit."""
    guest = draw.random(len(visits)) < shop.guests
    login_at = np.full(len(visits), -np.inf)
    logins = happened.kind == _LOGIN
    login_at[happened.visit[logins]] = happened.at[logins]
    found: Flags = (guest[happened.visit] & ~np.isfinite(login_at)[happened.visit]) | (
        happened.at < login_at[happened.visit]
    )
    return found


def _ratings(count: int, draw: np.random.Generator) -> Floats:
    stars: Floats = draw.choice(np.arange(1.0, 6.0), count, p=(0.05, 0.05, 0.1, 0.3, 0.5))
    return stars


def _names(prefix: str, numbers: Ints, kept: Flags | None = None) -> pa.Array:
    texts = pc.binary_join_element_wise(prefix, pa.array(numbers).cast(pa.string()), "")
    return texts if kept is None else pc.if_else(pa.array(kept), texts, None)
