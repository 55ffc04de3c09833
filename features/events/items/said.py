"""What the log itself says about items: the table ``said``, a row for everything that is said, and by how many rows."""

from __future__ import annotations

from typing import Final

import duckdb

from features.events.cleaning.clean import CLEANED, REWRITTEN
from features.events.cleaning.policy import Policy
from features.events.cleaning.texts import written
from features.events.reading.parsed import ITEM_TEXTS, POSITION
from features.events.schema import EVENT_TYPE, ITEM_ID, OCCURRED_AT, PRICE
from features.events.staging import LEFT_OUT

SAID: Final = "said"
#: Columns of the table beside the item's: how many rows say it, and the first moment at which one does.
ROWS: Final = "rows"
SINCE: Final = "since"


def say(connection: duckdb.DuckDBPyConnection) -> None:
    """Fill the table from the rows that are taken."""
    # nobody pays the price of a return
    price = f"CASE WHEN {EVENT_TYPE} <> 'return' THEN {PRICE} END AS {PRICE}"
    connection.execute(f"""
        CREATE TEMP TABLE {SAID} AS
        SELECT {ITEM_ID}, {", ".join(ITEM_TEXTS)}, {price}, count(*) AS {ROWS}, min({OCCURRED_AT}) AS {SINCE}
        FROM {CLEANED} ANTI JOIN ({LEFT_OUT}) USING ({POSITION}) WHERE {ITEM_ID} IS NOT NULL GROUP BY ALL
    """)


def rewrite(connection: duckdb.DuckDBPyConnection, policy: Policy) -> dict[str, dict[str, int]]:
    """Write the texts of the table as the policy wants them; returns how many rows' texts that changes."""
    texts = {name: written(name, how) for name, how in policy.texts.items() if name in ITEM_TEXTS}
    counts = {}
    for name, sql in texts.items():
        found = connection.execute(f"SELECT sum({ROWS}) FROM {SAID} WHERE {name} IS DISTINCT FROM {sql}").fetchall()
        counts[name] = {REWRITTEN: int(found[0][0] or 0)}
        connection.execute(f"UPDATE {SAID} SET {name} = {sql} WHERE {name} IS DISTINCT FROM {sql}")
    return {name: count for name, count in counts.items() if count[REWRITTEN]}


def most_frequent(column: str) -> str:
    """SQL for each item's most frequent value; of equals the first or the lowest."""
    return f"""
        SELECT {ITEM_ID}, {column} FROM (
            SELECT {ITEM_ID}, {column}, sum({ROWS}) AS n FROM {SAID} WHERE {column} IS NOT NULL GROUP BY ALL)
        QUALIFY row_number() OVER (PARTITION BY {ITEM_ID} ORDER BY n DESC, {column}) = 1"""
