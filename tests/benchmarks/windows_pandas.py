"""User windows with pandas, as somebody who knows it would write them: a peer of ``windows_speed.py``.

Sums are ``groupby().rolling("7D")`` over daily sums, on the days on which an event enters or leaves. Pandas has no
rolling count of distinct values: each user, behaviour and item of a day is put on all the days on which it counts,
and counted once a day. No loop is over users or days. It makes every column of our user windows, and nothing else.
"""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from runs import stopwatch
from windows_peers import LENGTHS, MEASURED, peers_events, span_of

from features.window_views import RATES, TREND_DAYS, WINDOW_BEHAVIOURS

KEYS = ["user_id", "day"]
RECENT, HORIZON = TREND_DAYS
#: Of each measure the column that is summed or whose values are counted once.
SUMS = {"count": "one", "spend": "spend", "dwell": "dwell_ms"}
DISTINCTS = {"items": "item_id", "categories": "category"}
OF_ALL = ["active_days", "sessions"]
PAUSE = pd.Timedelta(minutes=30)


def run(home: Path, options: Namespace) -> dict[str, Any]:
    """Write the windows to one Parquet file: the seconds after reading."""
    end = pd.Timestamp(span_of(options).end)
    events = pd.read_parquet(peers_events(home, "pandas"))
    with stopwatch() as taken:
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
    counts = [column for column in found if column.endswith("_count")]
    sums = [_rolled(found, length) for length in LENGTHS] + [_rolled(found[counts], HORIZON)]
    distincts = [_distinct(events, measure, length, days) for measure in DISTINCTS for length in LENGTHS]
    table = pd.concat([*sums, *distincts], axis=1).fillna(0).astype("int64")
    return _with_what_follows(table, _latest(events, days)).reset_index()


def _daily(events: pd.DataFrame) -> pd.DataFrame:
    """What each user did on each day: a column a behaviour and measure that is a sum, and sessions."""
    by_type = events.groupby([*KEYS, "event_type"], observed=True)[list(SUMS.values())].sum().unstack(fill_value=0)
    wanted = {
        (SUMS[measure], behaviour): f"{behaviour}_{measure}" for behaviour, measure in MEASURED if measure in SUMS
    }
    known = [pair for pair in wanted if pair in by_type.columns]
    table = by_type[known]
    table.columns = [wanted[pair] for pair in known]
    ordered = events[[*KEYS, "event_timestamp"]].sort_values(["user_id", "event_timestamp"])
    pause = ordered.groupby(KEYS, observed=True).event_timestamp.diff()
    starts = ordered.assign(sessions=(pause.isna() | (pause >= PAUSE)).astype("int64"))
    return table.assign(active_days=1, sessions=starts.groupby(KEYS, observed=True).sessions.sum())


def _days_of_change(active: pd.MultiIndex, end: pd.Timestamp) -> pd.MultiIndex:
    """Each user's active days, and the days on which these leave a window."""
    table = active.to_frame(index=False)
    later = [table.assign(day=table.day + pd.Timedelta(days=days)) for days in (0, *LENGTHS, HORIZON)]
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
    pairs = events[events.event_type.isin(WINDOW_BEHAVIOURS)][[*KEYS, "event_type", DISTINCTS[measure]]]
    pairs = pairs.dropna().drop_duplicates()
    counting = pairs.loc[pairs.index.repeat(length)]
    counting["day"] += pd.to_timedelta(np.tile(np.arange(length), len(pairs)), unit="D")
    once = counting[counting.day <= days.levels[1].max()].drop_duplicates()
    table = once.groupby([*KEYS, "event_type"], observed=True).size().unstack(fill_value=0)
    table.columns = [f"{behaviour}_{measure}_{length}d" for behaviour in table.columns]
    return table.reindex(days, fill_value=0)


def _latest(events: pd.DataFrame, days: pd.MultiIndex) -> pd.DataFrame:
    """The moment of the last event so far, a column a behaviour, microseconds since 1970 UTC."""
    seen = events[events.event_type.isin(WINDOW_BEHAVIOURS)]
    last = seen.groupby([*KEYS, "event_type"], observed=True).event_timestamp.max().unstack()
    return last.reindex(days).groupby(level="user_id", observed=True).ffill()


def _with_what_follows(table: pd.DataFrame, latest: pd.DataFrame) -> pd.DataFrame:
    """Rates, trends and last moments beside the counts."""
    more: dict[str, pd.Series] = {}

    def count(behaviour: str, days: int) -> pd.Series:
        name = f"{behaviour}_count_{days}d"
        return table[name] if name in table else pd.Series(0, table.index)

    for name, (above, below) in RATES.items():
        for days in LENGTHS:
            per = count(below, days)
            more[f"{name}_rate_{days}d"] = (count(above, days) / per).where(per > 0, 0.0)
    for behaviour in latest.columns:
        now, whole = count(behaviour, RECENT), count(behaviour, HORIZON)
        usual = (whole - now) * (RECENT / (HORIZON - RECENT))
        more[f"{behaviour}_trend"] = ((now - usual) / (now + usual)).where(whole > 0, 0.0)
        moments = latest[behaviour].dt.tz_convert("UTC").dt.tz_localize(None).astype("datetime64[us]")
        more[f"{behaviour}_last_us"] = moments.astype("int64").where(whole > 0, 0)
    return pd.concat([table, pd.DataFrame(more)], axis=1)


def written(home: Path) -> Path:
    return home / "pandas.parquet"
