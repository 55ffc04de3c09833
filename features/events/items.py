"""What a delivery says about items: title, categories, brand, price, from when on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import duckdb
import pyarrow.parquet as pq

from features.categories import category_of
from features.events.parsed import PARSED, POSITION
from features.events.route import FATE, ROUTED
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
from features.events.staging import STAGED_ITEMS, TAKEN

#: Between the levels of a category path in a source's text.
LEVELS: Final = ">"


def write_items(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """One row an item that the delivery's taken rows name, by ``item_id``.

    Its title, path and brand are those said most often (of equals the alphabetically first), its price
    the one most often paid (of equals the lowest), valid from its first event in the delivery.
    """
    said = ", ".join(f"{_most_frequent(column)} AS {column}" for column in (TITLE, CATEGORY_PATH, BRAND))
    connection.execute(f"""
        CREATE TABLE items AS
        WITH taken AS (
            SELECT * REPLACE (regexp_replace({TITLE}, '\\s+', ' ', 'g') AS {TITLE},
                CASE WHEN {EVENT_TYPE} <> 'return' THEN {PRICE} END AS {PRICE})
            FROM {PARSED} JOIN (SELECT {POSITION}, {FATE} FROM {ROUTED}) USING ({POSITION})
            WHERE {TAKEN} AND {ITEM_ID} IS NOT NULL)
        SELECT {ITEM_ID}, {said}, {_most_frequent(PRICE)} AS {PRICE}, min({OCCURRED_AT}) AS {VALID_FROM}
        FROM taken GROUP BY {ITEM_ID}
    """)
    rows = connection.execute(f"SELECT {ITEM_ID}, {CATEGORY_PATH}, {TITLE} FROM items").fetchall()
    paths = [{ITEM_ID: item, CATEGORY_PATH: _path(path, title)} for item, path, title in rows]
    # as JSON: building Arrow arrays from Python objects would import pandas
    shape = json.dumps([{ITEM_ID: "VARCHAR", CATEGORY_PATH: ["VARCHAR"]}])
    connection.execute(
        f"CREATE TABLE paths AS SELECT unnest(from_json(CAST(? AS JSON), {text(shape)}), recursive := true)",
        [json.dumps(paths)],
    )
    table = connection.sql(f"""
        SELECT {", ".join(ITEM.names)} FROM (SELECT * EXCLUDE ({CATEGORY_PATH}) FROM items)
        JOIN paths USING ({ITEM_ID}) ORDER BY {ITEM_ID}
    """).to_arrow_table()
    pq.write_table(table.cast(ITEM), folder / STAGED_ITEMS, compression="zstd")


def _most_frequent(column: str) -> str:
    """SQL for the most frequent value; ``mode`` alone leaves open which of equals it takes."""
    counted = f"map_entries(histogram({column}) FILTER ({column} IS NOT NULL))"
    # lists compare element by element: most often first, then the smallest
    return f"list_sort(list_transform({counted}, lambda e: {{n: -CAST(e.value AS BIGINT), v: e.key}}))[1].v"


def _path(said: str | None, title: str | None) -> list[str]:
    levels = [level.strip() for level in (said or "").split(LEVELS)]
    return [level for level in levels if level] or [category_of(title or "")]
