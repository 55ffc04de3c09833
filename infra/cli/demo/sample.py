"""The sample as its shop would have delivered it: a bulk file of history, then a file each day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from infra.errors import SettingsError
from infra.lake import write_json, written_aside
from infra.partitions import Span, day_end
from infra.settings import PROJECT, Settings

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

SAMPLE: Final = PROJECT / "infra" / "sample" / "online_retail_ii_2009_2010.parquet"
SOURCE: Final = "online-retail"
SPAN: Final = Span(date(2009, 12, 1), date(2010, 12, 10))
DAILY: Final = 7
CLOSED: Final = "_CLOSED"
DELIVERY: Final = "_delivery.json"

#: How long after midnight the shop sent each day's file.
DELAY: Final = timedelta(minutes=30)


@dataclass(frozen=True)
class Landed:
    """What lies in the landing zone: the days of the bulk file and those that come one by one."""

    history: Span
    days: Span


def sample_end() -> datetime:
    """The moment at which the sample ends, which the demo's clock starts from."""
    return datetime.combine(SPAN.end, time.min, tzinfo=UTC)


def land(settings: Settings, history_days: int | None = None) -> Landed:
    """Put the sample into the landing zone; days without a row are marked as closed.

    Args:
        history_days: only so many days of history, the latest; None: all.
    """
    import duckdb

    split = SPAN.end - timedelta(days=DAILY)
    start = SPAN.start if history_days is None else max(SPAN.start, split - timedelta(days=history_days))
    landed = Landed(Span(start, split), Span(split, SPAN.end))
    with duckdb.connect() as connection:
        connection.execute("SET enable_progress_bar = false")
        connection.read_parquet(str(SAMPLE)).create_view("sample")
        history = settings.lake.landing_history(SOURCE) / f"online_retail_ii_{start}_{split}.parquet"
        _require_same(history)
        within = f"InvoiceDate >= '{start}' AND InvoiceDate < '{split}'"
        _copy(connection, within, history, "PARQUET, COMPRESSION ZSTD")
        for day in landed.days.days():
            _land_day(connection, settings, day)
    return landed


def _require_same(history: Path) -> None:
    """One home holds one demo: more days of history beside those that are there would be loaded twice."""
    others = [path.name for path in history.parent.glob("online_retail_ii_*.parquet") if path != history]
    if others:
        raise SettingsError(
            f"This home was begun with other days of history: {others[0]}.",
            "Type the same --history-days again, or delete the home folder to begin anew.",
        )


def _land_day(connection: DuckDBPyConnection, settings: Settings, day: date) -> None:
    folder = settings.lake.landing_day(SOURCE, day)
    that_day = f"InvoiceDate >= '{day}' AND InvoiceDate < '{day + timedelta(days=1)}'"
    if connection.table("sample").filter(that_day).aggregate("count(*)").fetchall()[0][0]:
        _copy(connection, that_day, folder / f"online_retail_ii_{day}.csv.gz", "CSV, HEADER, COMPRESSION GZIP")
    else:
        with written_aside(folder / CLOSED) as marker:
            marker.touch()
    write_json(folder / DELIVERY, {"delivered_at": (day_end(day, settings.zone) + DELAY).isoformat()})


def _copy(connection: DuckDBPyConnection, where: str, path: Path, options: str) -> None:
    if path.exists():
        return
    with written_aside(path) as aside:
        rows = connection.table("sample").filter(where)
        connection.execute(f"COPY ({rows.sql_query()}) TO '{aside}' (FORMAT {options})")
