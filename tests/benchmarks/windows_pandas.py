"""User windows with pandas, as somebody who knows it would write them: a peer of ``windows_speed.py``.

Sums are ``groupby().rolling("7D")`` over daily sums, on the days on which an event enters or leaves. Pandas has no
rolling count of distinct values: each user, behaviour and item of a day is put on all the days on which it counts,
and counted once a day. No loop is over users or days.

Left out, in its favour: rates, trends, last moments, active days, sessions, and everything but the user windows.
"""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from runs import stopwatch
from windows_peers import LENGTHS, MEASURED, peers_events, span_of

KEYS = ["user_id", "day"]
#: Of each measure the column that is summed or whose values are counted once.
SUMS = {"count": "one", "spend": "spend", "dwell": "dwell_ms"}
DISTINCTS = {"items": "item_id", "categories": "category"}


def run(home: Path, options: Namespace) -> dict[str, Any]:
    """Write the windows to one Parquet file: the seconds, from reading on."""
    end = pd.Timestamp(span_of(options).end)
    with stopwatch() as taken:
        events = pd.read_parquet(peers_events(home, options.pandas))
        windows(events, end).to_parquet(written(home))
    return {**taken}


def windows(events: pd.DataFrame, end: pd.Timestamp) -> pd.DataFrame:
    """Every window of each user on each day before ``end`` on which one changes.

    Args:
        events: ``user_id``, ``event_type``, ``item_id``, ``category``, ``spend``, ``dwell_ms``, ``event_timestamp``.

    Returns:
        ``user_id``, ``day`` and a column a window, 0 where nothing was.
    """
    events = events.assign(day=events.event_timestamp.dt.tz_localize(None).dt.floor("D"), one=1)
    for column in ("user_id", "item_id", "category", "event_type"):
        events[column] = events[column].astype("category")
    daily = _daily(events)
    days = _days_of_change(daily.index, end)
    found = daily.reindex(days, fill_value=0)
    sums = [_rolled(found, length) for length in LENGTHS]
    distincts = [_distinct(events, measure, length, days) for measure in DISTINCTS for length in LENGTHS]
    return pd.concat([*sums, *distincts], axis=1).fillna(0).astype("int64").reset_index()


def _daily(events: pd.DataFrame) -> pd.DataFrame:
    """What each user did on each day: a column a behaviour and measure that is a sum."""
    by_type = events.groupby([*KEYS, "event_type"], observed=True)[list(SUMS.values())].sum().unstack(fill_value=0)
    wanted = {
        (SUMS[measure], behaviour): f"{behaviour}_{measure}" for behaviour, measure in MEASURED if measure in SUMS
    }
    known = [pair for pair in wanted if pair in by_type.columns]
    table = by_type[known]
    table.columns = [wanted[pair] for pair in known]
    return table


def _days_of_change(active: pd.MultiIndex, end: pd.Timestamp) -> pd.MultiIndex:
    """Each user's active days, and the days on which these leave a window."""
    table = active.to_frame(index=False)
    later = [table.assign(day=table.day + pd.Timedelta(days=days)) for days in (0, *LENGTHS)]
    found = pd.concat(later).drop_duplicates()
    found = found[found.day < end].sort_values(KEYS)
    return pd.MultiIndex.from_frame(found)


def _rolled(daily: pd.DataFrame, length: int) -> pd.DataFrame:
    """Sums over the last ``length`` days."""
    flat = daily.reset_index("user_id")
    table = flat.groupby("user_id", observed=True).rolling(f"{length}D").sum()
    return table.add_suffix(f"_{length}d")


def _distinct(events: pd.DataFrame, measure: str, length: int, days: pd.MultiIndex) -> pd.DataFrame:
    """Distinct values over the last ``length`` days, a column a behaviour."""
    pairs = events[[*KEYS, "event_type", DISTINCTS[measure]]].drop_duplicates()
    counting = pairs.loc[pairs.index.repeat(length)]
    counting["day"] += pd.to_timedelta(np.tile(np.arange(length), len(pairs)), unit="D")
    once = counting[counting.day <= days.levels[1].max()].drop_duplicates()
    table = once.groupby([*KEYS, "event_type"], observed=True).size().unstack(fill_value=0)
    table.columns = [f"{behaviour}_{measure}_{length}d" for behaviour in table.columns]
    return table.reindex(days, fill_value=0)


def written(home: Path) -> Path:
    return home / "pandas.parquet"
