"""What a delivery says about items, and since when: from files that describe them, and from the log itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import duckdb
import pyarrow.parquet as pq

from features.categories import category_of
from features.events.cleaning.policy import Policy
from features.events.items.said import SAID, SINCE, ever_said, most_frequent, say
from features.events.items.stated import LEVELS, STATED, state
from features.events.reading.parse import Parsed
from features.events.reading.parsed import DAY, ITEM_TEXTS
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
    from the beginning of ``span``. The log itself gives a version a day, from the item's first event of the day
    on, where it is another: what it says most often that day (of equals the alphabetically first), the price most
    often paid (of equals the lowest); where a file describes the same item, the file's word counts.

    Returns:
        How many rows of files that describe items there were (rows = taken + unused + refused; none without
        such files), and how many rows of the log say texts that the policy writes otherwise, by column.
    """
    start = f"TIMESTAMPTZ {text(day_start(span.start, settings.zone).isoformat())}"
    counts = state(connection, parsed, policy, start)
    rewritten = say(connection, policy)
    connection.execute(_merged(connection))
    _name_paths(connection)
    columns = ", ".join(
        f"levels AS {CATEGORY_PATH}" if name == CATEGORY_PATH else f"items.{name}" for name in ITEM.names
    )
    table = connection.sql(f"""
        SELECT {columns} FROM items JOIN paths ON items.{TITLE} IS NOT DISTINCT FROM paths.{TITLE}
            AND items.{CATEGORY_PATH} IS NOT DISTINCT FROM paths.{CATEGORY_PATH}
        ORDER BY items.{ITEM_ID}, {VALID_FROM}
    """).to_arrow_table()
    pq.write_table(table.cast(ITEM), folder / STAGED_ITEMS, compression="zstd")
    return counts, rewritten


def _merged(connection: duckdb.DuckDBPyConnection) -> str:
    """The versions: stated ones in full, and what the log says where no file says it."""
    logged = ever_said(connection)
    often = "".join(f" LEFT JOIN ({most_frequent(column)}) USING ({ITEM_ID}, {DAY})" for column in logged)
    said = ", ".join(column if column in logged else f"NULL AS {column}" for column in _VALUES)
    values = ", ".join(_VALUES)
    silent = f"concat_ws('', {values})"  # empty where the version says nothing
    return f"""
        CREATE TABLE items AS
        WITH logged AS (
            SELECT {ITEM_ID}, {VALID_FROM}, {said}
            FROM (SELECT {ITEM_ID}, {DAY}, min({SINCE}) AS {VALID_FROM} FROM {SAID} GROUP BY {ITEM_ID}, {DAY}){often}),
        version AS ({_with_stated() if _stated(connection) else "SELECT * FROM logged"}),
        telling AS (
            SELECT * FROM version QUALIFY {silent} <> ''
            OR row_number() OVER (PARTITION BY {ITEM_ID} ORDER BY {VALID_FROM}) = 1)
        SELECT * FROM telling QUALIFY ({values}) IS DISTINCT FROM lag(({values})) OVER
            (PARTITION BY {ITEM_ID} ORDER BY {VALID_FROM})
    """


def _stated(connection: duckdb.DuckDBPyConnection) -> bool:
    return bool(connection.execute(f"SELECT count(*) FROM {STATED}").fetchall()[0][0])


def _with_stated() -> str:
    """SQL for the versions of the log and of files together, one an item and moment."""
    described = ", ".join(f"count({column}) > 0 AS has_{column}" for column in _VALUES)
    own = ", ".join(f"CASE WHEN has_{column} THEN NULL ELSE logged.{column} END AS {column}" for column in _VALUES)
    latest = ", ".join(f"arg_max({column}, place) FILTER ({column} IS NOT NULL) AS {column}" for column in _VALUES)
    return f"""
        SELECT {ITEM_ID}, {VALID_FROM}, {latest} FROM (
            SELECT {ITEM_ID}, {VALID_FROM}, {own}, -1 AS place
            FROM logged LEFT JOIN (SELECT {ITEM_ID}, {described} FROM {STATED} GROUP BY {ITEM_ID}) USING ({ITEM_ID})
            UNION ALL BY NAME SELECT * FROM {STATED})
        GROUP BY ALL
    """


def _name_paths(connection: duckdb.DuckDBPyConnection) -> None:
    """The table ``paths``: the levels of every category that is said; where none is, the thing the title names."""
    connection.execute(f"CREATE TEMP TABLE said_path AS SELECT DISTINCT {CATEGORY_PATH}, {TITLE} FROM items")
    rows = connection.execute(f"SELECT rowid, {CATEGORY_PATH}, {TITLE} FROM said_path").fetchall()
    paths = [{"place": place, "levels": _path(path, title)} for place, path, title in rows]
    # as JSON: building Arrow arrays from Python objects would import pandas
    shape = json.dumps([{"place": "BIGINT", "levels": ["VARCHAR"]}])
    connection.execute(
        f"""CREATE TABLE paths AS SELECT {CATEGORY_PATH}, {TITLE}, named.levels FROM said_path
        JOIN (SELECT unnest(from_json(CAST(? AS JSON), {text(shape)}), recursive := true)) AS named
        ON said_path.rowid = named.place""",
        [json.dumps(paths)],
    )


def _path(said: str | None, title: str | None) -> list[str]:
    levels = [level.strip() for level in (said or "").split(LEVELS)]
    return [level for level in levels if level] or [category_of(title or "")]
