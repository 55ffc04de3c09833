"""What both peers of ``windows_speed.py`` are asked for, and the events that they read."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from simulated import settings_of, span_of

from features.window_views import WINDOW_BEHAVIOURS, measures

__all__ = ["LENGTHS", "MEASURED", "peers_events", "span_of", "write_peers_events"]

LENGTHS = (1, 7, 30)
#: Behaviours with their measures: counts, distinct items and categories, spend, dwell time.
MEASURED = [(behaviour, measure) for behaviour in WINDOW_BEHAVIOURS for measure in measures(behaviour)]


def peers_events(home: Path, peer: str) -> Path:
    """The file that a peer reads."""
    return home / f"events_of_{peer}.parquet"


def write_peers_events(home: Path, options: Namespace) -> dict[str, int]:
    """Write the published events of the first of the known users, with category and spend: how many, by peer.

    Joining the items is no part of what the peers are measured at. Feast is asked for nothing that needs other types
    of events than those with windows, and does not get them.
    """
    behaviours = ", ".join(f"'{behaviour}'" for behaviour in WINDOW_BEHAVIOURS)
    wanted = {"pandas": "true", "feast": f"event_type IN ({behaviours})"}
    return {peer: _write(home, options, peer, only) for peer, only in wanted.items()}


def _write(home: Path, options: Namespace, peer: str, only: str) -> int:
    import duckdb

    settings = settings_of(home, options)
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        ((count,),) = connection.execute(f"""
            COPY (SELECT user_id, event_type, item_id, items.category_path[-1] AS category, dwell_ms,
                         events.price * quantity AS spend, occurred_at AS event_timestamp
                  FROM '{settings.lake.root}/events/dt=*/*.parquet' AS events
                  LEFT JOIN '{home}/log/log/items.parquet' AS items USING (item_id)
                  WHERE {only} AND CAST(user_id[6:] AS BIGINT) < {options.users * vars(options)[peer] // 100})
            TO '{peers_events(home, peer)}'
        """).fetchall()
    return int(count)
