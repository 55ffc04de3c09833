"""What files beside the log state about items: the table ``stated``, a row for all that is said since a moment."""

from __future__ import annotations

from typing import Final

import duckdb

from features.events.cleaning.policy import Policy
from features.events.cleaning.texts import written
from features.events.reading.load import Cells, Loaded
from features.events.reading.parse import Parsed
from features.events.reading.parsed import ITEM_TEXTS
from features.events.rules import AMOUNT_LIMIT, ID_TOO_LONG, ID_UNREADABLE, ROW_RULES
from features.events.schema import CATEGORY_PATH, ITEM, ITEM_ID, PRICE, VALID_FROM
from features.events.sources import Catalogue, CategoryTree

STATED: Final = "stated"
#: Between the levels of a category path in a source's text.
LEVELS: Final = ">"
_BAD_ID: Final = " OR ".join(
    f"({rule.failing})" for rule in ROW_RULES if rule.column == ITEM_ID and rule.reason in (ID_TOO_LONG, ID_UNREADABLE)
)
#: SQL of the last moment that anybody would plan for.
_LATEST: Final = "TIMESTAMPTZ '2200-01-01 00:00:00+00'"
_DEEPEST: Final = 20  # levels of a category tree


def state(connection: duckdb.DuckDBPyConnection, parsed: Parsed, policy: Policy, start: str) -> dict[str, int]:
    """Fill the table.

    Args:
        start: SQL of the moment from which holds what has none.

    Returns:
        How many rows the files have: rows = taken + unused + refused, and of those taken how many say a price that
        is none; nothing without such files.
    """
    columns = f"{ITEM_ID} VARCHAR, {VALID_FROM} TIMESTAMPTZ, {PRICE} BIGINT, place BIGINT"
    connection.execute(f"CREATE TABLE {STATED} ({columns}, {', '.join(f'{name} VARCHAR' for name in ITEM_TEXTS)})")
    counts = [_state(connection, kind, loaded, start) for kind, loaded in parsed.catalogues]
    if parsed.tree and parsed.source.tree:
        _climb(connection, parsed.source.tree, parsed.tree)
    for name, how in policy.texts.items():
        if name in ITEM_TEXTS:
            text = written(name, how)
            connection.execute(f"UPDATE {STATED} SET {name} = {text} WHERE {name} IS DISTINCT FROM {text}")
    return {name: sum(count[name] for count in counts) for name in counts[0]} if counts else {}


def _state(connection: duckdb.DuckDBPyConnection, kind: Catalogue, loaded: Loaded, start: str) -> dict[str, int]:
    """Take the rows of a file that describes items; a price that no event could have is one that was not said."""
    cells = Cells(loaded)
    said = {column: kind.columns.get(column, "CAST(NULL AS VARCHAR)").format_map(cells) for column in ITEM.names}
    misdated = f"coalesce({VALID_FROM} > {_LATEST}, dated IS NOT NULL)"
    connection.execute(f"""
        CREATE TEMP TABLE described AS SELECT *,
            CASE WHEN coalesce({kind.unused.format_map(cells)}, false) THEN 'unused'
            WHEN {ITEM_ID} IS NULL OR {_BAD_ID} OR {misdated} THEN 'refused' ELSE 'taken' END AS fate,
            priced IS NOT NULL AND NOT coalesce({PRICE} BETWEEN 0 AND {AMOUNT_LIMIT}, false) AS mispriced
        FROM (
            SELECT *, moment(dated) AS {VALID_FROM}, whole(priced) AS {PRICE} FROM (
                SELECT *, {said[ITEM_ID]} AS {ITEM_ID}, {said[VALID_FROM]} AS dated, {said[PRICE]} AS priced,
                    {", ".join(f"{said[column]} AS {column}" for column in ITEM_TEXTS)}
                FROM ({loaded.rows()})))
    """)
    connection.execute(f"""
        INSERT INTO {STATED} BY NAME SELECT {ITEM_ID}, coalesce({VALID_FROM}, {start}) AS {VALID_FROM},
            CASE WHEN NOT mispriced THEN {PRICE} END AS {PRICE}, place, {", ".join(ITEM_TEXTS)}
        FROM described WHERE fate = 'taken'
    """)
    found = dict(connection.execute("SELECT fate, count(*) FROM described GROUP BY fate").fetchall())
    mispriced = connection.execute("SELECT count(*) FROM described WHERE mispriced AND fate = 'taken'").fetchall()[0][0]
    connection.execute("DROP TABLE described")
    fates = {fate: found.get(fate, 0) for fate in ("taken", "unused", "refused")}
    return {"rows": sum(found.values()), **fates, "price_unreadable": mispriced}


def _climb(connection: duckdb.DuckDBPyConnection, tree: CategoryTree, loaded: Loaded) -> None:
    """Put the levels above each category before it."""
    cells = Cells(loaded)
    connection.execute(f"""
        CREATE TEMP TABLE climbed AS WITH RECURSIVE
        parents AS (SELECT {tree.category.format_map(cells)} AS category, max({tree.parent.format_map(cells)}) AS parent
                    FROM ({loaded.rows()}) GROUP BY category),
        up AS (
            SELECT category, [category] AS levels, parent FROM parents
            UNION ALL
            SELECT up.category, list_prepend(up.parent, up.levels), parents.parent
            FROM up LEFT JOIN parents ON parents.category = up.parent
            WHERE up.parent IS NOT NULL AND NOT list_contains(up.levels, up.parent) AND len(up.levels) < {_DEEPEST})
        SELECT category, arg_max(array_to_string(levels, ' {LEVELS} '), len(levels)) AS levels FROM up
        WHERE category IS NOT NULL GROUP BY category
    """)
    connection.execute(
        f"UPDATE {STATED} SET {CATEGORY_PATH} = levels FROM climbed WHERE {STATED}.{CATEGORY_PATH} = climbed.category"
    )
