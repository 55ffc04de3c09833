"""Both peers of the windows find the numbers that ours finds: else their speed would say nothing."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
import simulated
import windows_feast
import windows_pandas
from runs import alone
from windows_peers import LENGTHS, MEASURED, write_peers_events
from windows_speed import SIZES, ours

from features.window_views import user_window_columns

pytestmark = pytest.mark.thorough

HERE = Path(__file__).resolve().parent
KEYS = ["user_id", "day"]


@pytest.fixture(scope="module")
def shop() -> Namespace:
    return Namespace(**SIZES["tiny"])


@pytest.fixture(scope="module")
def home(shop: Namespace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with our windows, and the events that the peers read."""
    home = tmp_path_factory.mktemp("windows")
    for step in (simulated.draw, simulated.take, ours, write_peers_events):
        step(home, shop)
    return home


def our_rows(home: Path, shop: Namespace, share: int) -> pd.DataFrame:
    """Our rows of the users that a peer has, ``day`` as a timestamp."""
    files = home / "home" / "lake" / "features" / "user_windows" / "*.parquet"
    frame = duckdb.sql(f"""
        SELECT *, CAST(event_timestamp AT TIME ZONE 'UTC' AS TIMESTAMP) - INTERVAL 1 DAY AS day FROM '{files}'
        WHERE CAST(user_id[6:] AS INTEGER) < {shop.users * share // 100}
    """).df()
    return frame.astype({"day": "datetime64[ns]"})


def compared(theirs: pd.DataFrame, rows: pd.DataFrame, columns: list[str]) -> None:
    """Hold that each of their rows is one of ours, with its values."""
    beside = theirs[[*KEYS, *columns]].merge(rows[[*KEYS, *columns]], on=KEYS, suffixes=("_theirs", ""))
    assert len(beside) == len(theirs) > 0
    for column in columns:
        assert np.allclose(beside[f"{column}_theirs"].fillna(0), beside[column], rtol=0, atol=1e-9), column


def columns_of(days: int) -> list[str]:
    return [f"{behaviour}_{measure}_{days}d" for behaviour, measure in MEASURED]


def test_pandas_counts_what_ours_counts(home: Path, shop: Namespace) -> None:
    windows_pandas.run(home, shop)
    found = pd.read_parquet(windows_pandas.written(home)).astype({"user_id": object, "day": "datetime64[ns]"})
    rows = our_rows(home, shop, shop.pandas)
    columns = user_window_columns(LENGTHS)
    known = [name for name in columns if name in found]
    compared(found, rows, known)
    assert not rows[[name for name in columns if name not in found]].any(axis=None)
    assert len(known) > 90
    assert len(found) == len(rows)


def test_feast_on_spark_counts_what_ours_counts(home: Path, shop: Namespace) -> None:
    # in a process of its own: a Java stays with the one that started it
    alone(str(HERE / "windows_speed.py"), "feast", home, shop)
    rows = our_rows(home, shop, shop.feast)
    for days in LENGTHS:
        path = windows_feast.written(home, days) / "*.parquet"
        found = duckdb.sql(f"SELECT * REPLACE (\"window\".start AT TIME ZONE 'UTC' AS \"window\") FROM '{path}'").df()
        found = found.rename(columns={"window": "day"}).astype({"day": "datetime64[ns]"})
        on_rows = found.merge(rows[KEYS], on=KEYS)  # it has a row on every day on which a window holds anything
        compared(on_rows, rows, columns_of(days))
        ours_with = rows[(rows[columns_of(days)] > 0).any(axis=1)]
        assert len(ours_with) == len(ours_with.merge(found[KEYS], on=KEYS))
