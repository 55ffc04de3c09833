"""What a delivery says about items, and since when: from files that describe them, and from the log itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import duckdb
import pyarrow.parquet as pq

from features.categories import category_of
from features.events.cleaning import CLEANED, REWRITTEN
from features.events.load import Cells, Loaded
from features.events.parse import Parsed
from features.events.parsed import POSITION
from features.events.policy import Policy
from features.events.schema import (
    BRAND,
    CATEGORY_PATH,
    EVENT_TYPE,
    ITEM,
    ITEM_ID,
    OCCURRED_AT,
    PRICE,
    TITLE,
    VALID_FROM,
)
from features.events.scratch import text
from features.events.sources import Catalogue, CategoryTree
from features.events.staging import STAGED_ITEMS, TAKEN_ROWS
from features.events.writing import written
from infra.partitions import Span, day_start
from infra.settings import Settings

#: Between the levels of a category path in a source's text.
LEVELS: Final = ">"
_SAID: Final = (TITLE, CATEGORY_PATH, BRAND)
_VALUES: Final = (*_SAID, PRICE)
_DEEPEST: Final = 20  # levels of a category tree


def write_items(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    policy: Policy,
    parsed: Parsed,
    folder: Path,
    span: Span,
) -> tuple[dict[str, int], dict[str, dict[str, int]]]:
    """One row for every version of an item that the delivery names, by ``item_id`` and ``valid_from``.

    A file that describes items gives a version whenever a value of theirs changes; without a time it holds
    from the beginning of ``span``. The log itself gives one version from the item's first event on: what it
    says most often (of equals the alphabetically first), the price most often paid (of equals the lowest);
    where a file describes the same item, the file's word counts.

    Returns:
        How many rows of files that describe items there were (rows = taken + unused + refused; none without
        such files), and how many rows of the log say texts that the policy writes otherwise, by column.
    """
    connection.execute(_stated_table())
    start = f"TIMESTAMPTZ {text(day_start(span.start, settings.zone).isoformat())}"
    counts = [_state(connection, policy, kind, loaded, start) for kind, loaded in parsed.catalogues]
    if parsed.tree and parsed.source.tree:
        _climb(connection, parsed.source.tree, parsed.tree)
    _say(connection)
    rewritten = _rewritten(connection, policy)
    connection.execute(_merged())
    _name_paths(connection)
    table = connection.sql(f"""
        SELECT {", ".join(ITEM.names)} FROM (SELECT * EXCLUDE ({CATEGORY_PATH}) FROM items)
        JOIN paths USING ({ITEM_ID}, {VALID_FROM}) ORDER BY {ITEM_ID}, {VALID_FROM}
    """).to_arrow_table()
    pq.write_table(table.cast(ITEM), folder / STAGED_ITEMS, compression="zstd")
    return ({name: sum(count[name] for count in counts) for name in counts[0]} if counts else {}), rewritten


def _stated_table() -> str:
    columns = f"{ITEM_ID} VARCHAR, {VALID_FROM} TIMESTAMPTZ, {PRICE} BIGINT, place BIGINT"
    return f"CREATE TABLE stated ({columns}, {', '.join(f'{column} VARCHAR' for column in _SAID)})"


def _state(
    connection: duckdb.DuckDBPyConnection, policy: Policy, kind: Catalogue, loaded: Loaded, start: str
) -> dict[str, int]:
    """Take the rows of a file that describes items; a value that cannot be read is one that was not said."""
    cells = Cells(loaded)
    said = {column: kind.columns.get(column, "CAST(NULL AS VARCHAR)").format_map(cells) for column in ITEM.names}
    dated = said[VALID_FROM]
    unused = f"coalesce({kind.unused.format_map(cells)}, false)"
    refused = f"{said[ITEM_ID]} IS NULL OR ({dated} IS NOT NULL AND moment({dated}) IS NULL)"
    connection.execute(f"""
        CREATE TEMP TABLE described AS SELECT {said[ITEM_ID]} AS {ITEM_ID},
            coalesce(moment({dated}), {start}) AS {VALID_FROM}, whole({said[PRICE]}) AS {PRICE}, place,
            {", ".join(f"{said[column]} AS {column}" for column in _SAID)},
            CASE WHEN {unused} THEN 'unused' WHEN {refused} THEN 'refused' ELSE 'taken' END AS fate
        FROM ({loaded.rows()})
    """)
    rewritten = ", ".join(f"{written(name, how)} AS {name}" for name, how in policy.texts.items() if name in _SAID)
    replace = f"REPLACE ({rewritten})" if rewritten else ""
    connection.execute(
        f"INSERT INTO stated BY NAME SELECT * EXCLUDE (fate) {replace} FROM described WHERE fate = 'taken'"
    )
    found = dict(connection.execute("SELECT fate, count(*) FROM described GROUP BY fate").fetchall())
    connection.execute("DROP TABLE described")
    return {"rows": sum(found.values()), **{fate: found.get(fate, 0) for fate in ("taken", "unused", "refused")}}


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
        f"UPDATE stated SET {CATEGORY_PATH} = levels FROM climbed WHERE stated.{CATEGORY_PATH} = climbed.category"
    )


def _say(connection: duckdb.DuckDBPyConnection) -> None:
    """The table ``said``: what taken rows say about each item, and how many say it since when."""
    # nobody pays the price of a return
    price = f"CASE WHEN {EVENT_TYPE} <> 'return' THEN {PRICE} END AS {PRICE}"
    connection.execute(f"""
        CREATE TEMP TABLE said AS
        SELECT {ITEM_ID}, {", ".join(_SAID)}, {price}, count(*) AS rows, min({OCCURRED_AT}) AS since
        FROM {CLEANED} SEMI JOIN ({TAKEN_ROWS}) USING ({POSITION}) WHERE {ITEM_ID} IS NOT NULL GROUP BY ALL
    """)


def _rewritten(connection: duckdb.DuckDBPyConnection, policy: Policy) -> dict[str, dict[str, int]]:
    """Write the texts of ``said`` as the policy wants them; returns how many rows' texts that changes."""
    texts = {name: written(name, how) for name, how in policy.texts.items() if name in _SAID}
    counts = {}
    for name, sql in texts.items():
        found = connection.execute(f"SELECT sum(rows) FROM said WHERE {name} IS DISTINCT FROM {sql}").fetchall()
        counts[name] = {REWRITTEN: int(found[0][0] or 0)}
        connection.execute(f"UPDATE said SET {name} = {sql} WHERE {name} IS DISTINCT FROM {sql}")
    return {name: count for name, count in counts.items() if count[REWRITTEN]}


def _merged() -> str:
    """The versions: stated ones in full, and what the log says where no file says it."""
    often = "".join(f" LEFT JOIN ({_most_frequent(column)}) USING ({ITEM_ID})" for column in _VALUES)
    described = ", ".join(f"count({column}) > 0 AS has_{column}" for column in _VALUES)
    own = ", ".join(f"CASE WHEN has_{column} THEN NULL ELSE logged.{column} END AS {column}" for column in _VALUES)
    latest = ", ".join(f"arg_max({column}, place) FILTER ({column} IS NOT NULL) AS {column}" for column in _VALUES)
    values = ", ".join(_VALUES)
    silent = f"concat_ws('', {values})"  # empty where the version says nothing
    return f"""
        CREATE TABLE items AS
        WITH logged AS (
            SELECT {ITEM_ID}, {VALID_FROM}, {values}
            FROM (SELECT {ITEM_ID}, min(since) AS {VALID_FROM} FROM said GROUP BY {ITEM_ID}){often}),
        described AS (SELECT {ITEM_ID}, {described} FROM stated GROUP BY {ITEM_ID}),
        every AS (
            SELECT {ITEM_ID}, {VALID_FROM}, {own}, -1 AS place FROM logged LEFT JOIN described USING ({ITEM_ID})
            UNION ALL BY NAME SELECT * FROM stated),
        version AS (SELECT {ITEM_ID}, {VALID_FROM}, {latest} FROM every GROUP BY ALL),
        telling AS (
            SELECT * FROM version QUALIFY {silent} <> ''
            OR row_number() OVER (PARTITION BY {ITEM_ID} ORDER BY {VALID_FROM}) = 1)
        SELECT * FROM telling QUALIFY ({values}) IS DISTINCT FROM lag(({values})) OVER
            (PARTITION BY {ITEM_ID} ORDER BY {VALID_FROM})
    """


def _name_paths(connection: duckdb.DuckDBPyConnection) -> None:
    """The table ``paths``: the levels of every version's category; where none is said, the thing its title names."""
    rows = connection.execute(f"SELECT rowid, {CATEGORY_PATH}, {TITLE} FROM items").fetchall()
    paths = [{"place": place, CATEGORY_PATH: _path(path, title)} for place, path, title in rows]
    # as JSON: building Arrow arrays from Python objects would import pandas
    shape = json.dumps([{"place": "BIGINT", CATEGORY_PATH: ["VARCHAR"]}])
    connection.execute(
        f"""CREATE TABLE paths AS SELECT {ITEM_ID}, {VALID_FROM}, named.{CATEGORY_PATH} FROM items
        JOIN (SELECT unnest(from_json(CAST(? AS JSON), {text(shape)}), recursive := true)) AS named
        ON items.rowid = named.place""",
        [json.dumps(paths)],
    )


def _most_frequent(column: str) -> str:
    """SQL for each item's most frequent value; of equals the first or the lowest."""
    return f"""
        SELECT {ITEM_ID}, {column} FROM (
            SELECT {ITEM_ID}, {column}, sum(rows) AS n FROM said WHERE {column} IS NOT NULL GROUP BY ALL)
        QUALIFY row_number() OVER (PARTITION BY {ITEM_ID} ORDER BY n DESC, {column}) = 1"""


def _path(said: str | None, title: str | None) -> list[str]:
    levels = [level.strip() for level in (said or "").split(LEVELS)]
    return [level for level in levels if level] or [category_of(title or "")]
