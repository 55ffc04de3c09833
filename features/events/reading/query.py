"""The query that makes events of a file's text: it types every column and lists the reasons against every row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from features.events.reading.load import FIRST, Cells, Loaded
from features.events.reading.parsed import CONTENT, DAY, FILE, ITEM_TEXTS, POSITION, REASONS, ROW
from features.events.reasons import COMMON, read
from features.events.schema import (
    CAMPAIGN,
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
    USER_ID,
)
from features.events.scratch import text
from features.events.sources import Source

_TYPED: Final[Mapping[str, str]] = {
    USER_ID: "read_user_id",
    ITEM_ID: "read_item_id",
    EVENT_TYPE: "read_event_type",
    OCCURRED_AT: "moment(read_occurred_at)",
    SESSION_ID: "read_session_id",
    DWELL_MS: "whole(read_dwell_ms)",
    QUANTITY: "whole(read_quantity)",
    PRICE: "whole(read_price)",
    CURRENCY: "CASE WHEN read_price IS NOT NULL THEN coalesce(read_currency, $currency) END",
    RATING: "number(read_rating)",
    TEXT: "read_text",
    COUNTRY: "read_country",
    CAMPAIGN: "read_campaign",
    SOURCE_POSITION: "whole(read_source_position)",
}
_NULL: Final = "CAST(NULL AS VARCHAR)"
#: What makes a row this event; ids follow from it. Where somebody was does not: rows that came before it was kept
#: would have other ids today.
_SAID: Final = (USER_ID, ITEM_ID, EVENT_TYPE, OCCURRED_AT, SESSION_ID, DWELL_MS, QUANTITY, PRICE, RATING, TEXT)


@dataclass(frozen=True)
class Bounds:
    """What decides about times and money: nothing after ``horizon``, and the currency of bare prices."""

    horizon: datetime
    currency: str


def query(source: Source, log: Loaded, bounds: Bounds) -> str:
    """Four layers, each computed once a row: cleaned cells, texts of event columns, values, verdict."""
    cells = Cells(log)
    said = {**source.columns, **source.item}
    texts = {column: said.get(column, _NULL).format_map(cells) for column in (EVENT_ID, *_TYPED, *ITEM_TEXTS)}
    reasons = [(reason, condition.format_map(cells)) for reason, condition in (*source.reasons, *COMMON)]
    refused = " OR ".join(f"({condition})" for _, condition in reasons)
    layers = f"""
        SELECT *, coalesce({refused}, false) AS refused FROM
            (SELECT *, {_listed(_TYPED)} FROM
                (SELECT *, {_listed({read(column): sql for column, sql in texts.items()})} FROM ({log.rows()})))
    """
    verdict = {
        POSITION: "place + 1",
        FILE: FILE,
        ROW: f"place + 1 - {FIRST}",
        DAY: f"CASE WHEN refused AND ({_out_of_time()}) THEN NULL ELSE CAST({OCCURRED_AT} AS DATE) END",
        EVENT_ID: read(EVENT_ID),
        CONTENT: f"md5(concat_ws(chr(31), {text(source.name)}, {', '.join(_said(column) for column in _SAID)}))",
        **{column: column for column in _TYPED},
        SOURCE_POSITION: f"coalesce({SOURCE_POSITION}, place + 1)",
        **{column: read(column) for column in ITEM_TEXTS},
        REASONS: f"CASE WHEN refused THEN {_reasons(reasons)} END",
    }
    statement = f"SELECT {_listed(verdict)} FROM ({layers})"
    return statement.replace("$horizon", _moment(bounds.horizon)).replace("$currency", text(bounds.currency))


def _listed(columns: Mapping[str, str]) -> str:
    return ", ".join(f"{sql} AS {column}" for column, sql in columns.items())


def _reasons(reasons: list[tuple[str, str]]) -> str:
    cases = ", ".join(f"CASE WHEN {condition} THEN {text(reason)} END" for reason, condition in reasons)
    return f"list_filter([{cases}], lambda reason: reason IS NOT NULL)"


def _out_of_time() -> str:
    return " OR ".join(f"({condition})" for reason, condition in COMMON if reason in ("before_1990", "in_the_future"))


def _said(column: str) -> str:
    value = f"epoch_us({column})" if column == OCCURRED_AT else column
    return f"coalesce(CAST({value} AS VARCHAR), '')"


def _moment(value: datetime) -> str:
    return f"TIMESTAMPTZ {text(value.isoformat())}"
