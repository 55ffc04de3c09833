"""What the log says about items: the table ``said``, a row for all that is said on a day, and by how many rows."""

from __future__ import annotations

from typing import Final

import duckdb

from features.events.cleaning.clean import CLEANED, REWRITTEN
from features.events.cleaning.policy import Policy
from features.events.cleaning.texts import written
from features.events.reading.parsed import DAY, ITEM_TEXTS, POSITION
from features.events.schema import EVENT_TYPE, ITEM_ID, OCCURRED_AT, PRICE
from features.events.staging import LEFT_OUT

SAID: Final = "said"
#: Columns of the table beside the item's: how many rows say it, and the first moment at which one does.
ROWS: Final = "rows"
SINCE: Final = "since"


def say(connection: duckdb.DuckDBPyConnection, policy: Policy) -> dict[str, dict[str, int]]:
    """Fill the table from the rows that are taken, texts as the policy wants them written.

    Returns:
        How many rows' texts that changes, by column.
    """
    taken = f"FROM {CLEANED} ANTI JOIN ({LEFT_OUT}) USING ({POSITION}) WHERE {ITEM_ID} IS NOT NULL"
    texts = {name: written(name, how) for name, how in policy.texts.items() if name in ITEM_TEXTS}
    changed = {name: _spell(connection, name, sql, taken) for name, sql in texts.items()}
    joins = "".join(f" LEFT JOIN spelled_{name} ON {name} = spelled_{name}.came" for name in changed if changed[name])
    columns = ", ".join(
        f"CASE WHEN spelled_{name}.came IS NULL THEN {name} ELSE spelled_{name}.spelled END AS {name}"
        if changed.get(name)
        else name
        for name in ITEM_TEXTS
    )
    # nobody pays the price of a return
    price = f"CASE WHEN {EVENT_TYPE} <> 'return' THEN {PRICE} END AS {PRICE}"
    needed = ", ".join((ITEM_ID, DAY, *ITEM_TEXTS, EVENT_TYPE, PRICE, OCCURRED_AT))
    connection.execute(f"""
        CREATE TEMP TABLE {SAID} AS
        SELECT {ITEM_ID}, {DAY}, {columns}, {price}, count(*) AS {ROWS}, min({OCCURRED_AT}) AS {SINCE}
        FROM (SELECT {needed} {taken}){joins} GROUP BY ALL
    """)
    return {name: {REWRITTEN: count} for name, count in changed.items() if count}


def _spell(connection: duckdb.DuckDBPyConnection, name: str, sql: str, taken: str) -> int:
    """Make the table ``spelled_<name>`` of the texts that are written otherwise; returns how many rows have one."""
    table = f"spelled_{name}"
    connection.execute(f"""
        CREATE TEMP TABLE {table} AS SELECT {name} AS came, {sql} AS spelled, n
        FROM (SELECT {name}, count(*) AS n {taken} GROUP BY {name}) WHERE {name} IS DISTINCT FROM {sql}
    """)
    return int(connection.execute(f"SELECT coalesce(sum(n), 0) FROM {table}").fetchall()[0][0])


def ever_said(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """The columns of which a row says anything."""
    columns = (*ITEM_TEXTS, PRICE)
    counts = connection.execute(f"SELECT {', '.join(f'count({column})' for column in columns)} FROM {SAID}").fetchall()
    return [column for column, count in zip(columns, counts[0], strict=True) if count]


def most_frequent(column: str) -> str:
    """SQL for each item's most frequent value of each day; of equals the first or the lowest."""
    return f"""
        SELECT {ITEM_ID}, {DAY}, {column} FROM (
            SELECT {ITEM_ID}, {DAY}, {column}, sum({ROWS}) AS n FROM {SAID} WHERE {column} IS NOT NULL GROUP BY ALL)
        QUALIFY row_number() OVER (PARTITION BY {ITEM_ID}, {DAY} ORDER BY n DESC, {column}) = 1"""
