"""What a delivery says about items, and since when: from files that describe them, and from the log itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import duckdb
import pyarrow.parquet as pq

from features.categories import category_of
from features.events.cleaning.policy import Policy
from features.events.items.said import SAID, SINCE, most_frequent, rewrite, say
from features.events.items.stated import LEVELS, STATED, state
from features.events.reading.parse import Parsed
from features.events.reading.parsed import ITEM_TEXTS
from features.events.schema import CATEGORY_PATH, ITEM, ITEM_ID, PRICE, TITLE, VALID_FROM
from features.events.scratch import text
from features.events.staging import STAGED_ITEMS
from infra.partitions import Span, day_start
from infra.settings import Settings

_VALUES: Final = (*ITEM_TEXTS, PRICE)


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
    start = f"TIMESTAMPTZ {text(day_start(span.start, settings.zone).isoformat())}"
    counts = state(connection, parsed, policy, start)
    say(connection)
    rewritten = rewrite(connection, policy)
    connection.execute(_merged())
    _name_paths(connection)
    table = connection.sql(f"""
        SELECT {", ".join(ITEM.names)} FROM (SELECT * EXCLUDE ({CATEGORY_PATH}) FROM items)
        JOIN paths USING ({ITEM_ID}, {VALID_FROM}) ORDER BY {ITEM_ID}, {VALID_FROM}
    """).to_arrow_table()
    pq.write_table(table.cast(ITEM), folder / STAGED_ITEMS, compression="zstd")
    return counts, rewritten


def _merged() -> str:
    """The versions: stated ones in full, and what the log says where no file says it."""
    often = "".join(f" LEFT JOIN ({most_frequent(column)}) USING ({ITEM_ID})" for column in _VALUES)
    described = ", ".join(f"count({column}) > 0 AS has_{column}" for column in _VALUES)
    own = ", ".join(f"CASE WHEN has_{column} THEN NULL ELSE logged.{column} END AS {column}" for column in _VALUES)
    latest = ", ".join(f"arg_max({column}, place) FILTER ({column} IS NOT NULL) AS {column}" for column in _VALUES)
    values = ", ".join(_VALUES)
    silent = f"concat_ws('', {values})"  # empty where the version says nothing
    return f"""
        CREATE TABLE items AS
        WITH logged AS (
            SELECT {ITEM_ID}, {VALID_FROM}, {values}
            FROM (SELECT {ITEM_ID}, min({SINCE}) AS {VALID_FROM} FROM {SAID} GROUP BY {ITEM_ID}){often}),
        described AS (SELECT {ITEM_ID}, {described} FROM {STATED} GROUP BY {ITEM_ID}),
        every AS (
            SELECT {ITEM_ID}, {VALID_FROM}, {own}, -1 AS place FROM logged LEFT JOIN described USING ({ITEM_ID})
            UNION ALL BY NAME SELECT * FROM {STATED}),
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


def _path(said: str | None, title: str | None) -> list[str]:
    levels = [level.strip() for level in (said or "").split(LEVELS)]
    return [level for level in levels if level] or [category_of(title or "")]
