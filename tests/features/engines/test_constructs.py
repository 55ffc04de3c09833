"""What the transformations may say: the same answer from DuckDB and from Spark."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from typing import Any

import ibis
import pyarrow as pa
import pytest
from ibis import _

from features.engine import Connection, Table, connect, micros, table_of
from infra.settings import Settings

pytestmark = [
    pytest.mark.thorough,  # a Java that starts
    # ignored by connecting, which is done once for all tests
    pytest.mark.filterwarnings("ignore:fetch_arrow_table:DeprecationWarning"),
]

BEYOND = "\U0001f0a1"  # beyond U+FFFF: by UTF-16 it would come before U+FF41, by bytes after it
WIDE = "\uff41"
CONTENT = pa.table(
    {
        "who": ["a", "a", "a", "b", "b", None, "é", "é"],
        "text": ["z", "é", "Z", BEYOND, WIDE, None, "", "same"],
        "whole": pa.array([3, None, (1 << 53) + 1, 2, 2, -7, 0, 5], pa.int64()),
        "real": [0.1, None, 1e300, -2.5, 2.5, 0.0, 3.0, 1e-9],
        "yes": [True, False, None, True, True, False, True, False],
        "day": pa.array([date(2010, 3, d) for d in (1, 1, 31, 2, 3, 4, 5, 5)], pa.date32()),
        "at": pa.array(
            [datetime(1969, 12, 31, 23, 59, 59, 999_999, UTC), *[datetime(2010, 3, 28, 1, 30, 0, 7, UTC)] * 7],
            pa.timestamp("us", tz="UTC"),
        ),
        "words": pa.array([["b", "a"], [], None, [BEYOND], ["x", None], ["y"], ["p", "q", "r"], [""]]),
        "counts": pa.array([[1, 2], [], None, [3], [4, 5], [6], [7, 8, 9], [0]], pa.list_(pa.int64())),
        "parts": pa.array([[0.1, 0.2, 0.3], [], None, [1.0], [2.0], [3.0], [1e16, 1.0, -1e16], [0.0]]),
        "place": pa.array(range(8), pa.int64()),
    }
)
OF_WHO = ibis.window(group_by="who", order_by="place")
SO_FAR = ibis.cumulative_window(group_by="who", order_by="place")
LAST_TWO = ibis.window(group_by="who", order_by="place", preceding=1, following=0)
NULLS_FIRST = (ibis.asc("whole", nulls_first=True), "place")

SAYINGS: dict[str, Callable[[Table], Table]] = {
    "a float is no decimal": lambda t: t.select(
        "place", x=t.whole / 604800.0, y=2.0 ** (t.place / 7.0), z=t.real * 1.5
    ),
    "whole numbers divide": lambda t: t.select("place", a=t.place / 3, b=(t.place - 4) // 3, c=t.place % 3),
    "microseconds": lambda t: t.select("place", us=micros(t.at), part=t.at.microsecond().cast("int64")),
    "days": lambda t: t.select(
        "place", later=(t.day + ibis.interval(days=30)).cast("timestamp").cast("date"), since=t.day.epoch_days()
    ),
    "the first day of all": lambda t: t.select("place", d=t.day.nullif(date(2010, 3, 1)).fill_null(ibis.date(1, 1, 1))),
    "ranges": lambda t: t.select(
        "place",
        up=ibis.range(t.place - 3, t.place),
        none=ibis.range(t.place, t.place),
        down=ibis.range(t.place, -1, -2),
    ),
    "unnested ranges": lambda t: t.select("place", at=ibis.range(5 - t.place, ibis.literal(3, "int64")).unnest()),
    "zipped lists": lambda t: t.select("place", p=t.words.zip(t.counts, ibis.range(1 - t.words.length(), 1)).unnest()),
    "from lists": lambda t: t.filter(t.words.length() > 0).select(
        "place", first=_.words[0], last=_.words[-1], gone=_.words[9], sum=_.parts.sums(), n=_.counts.length()
    ),
    "lists in order": lambda t: t.group_by("who").agg(
        text=_.text.collect(order_by="text"),
        down=_.text.collect(order_by=(ibis.desc("whole"), ibis.asc("text"))),
        first=_.place.collect(order_by=NULLS_FIRST),
        some=_.place.collect(where=_.yes, order_by=ibis.desc("place")),
        sum=_.real.collect(order_by=("day", "place")).sums(),
    ),
    "one of a group": lambda t: t.group_by("who").agg(
        n=_.count(),
        none=_.count(where=_.place > 99),
        sum=_.whole.sum(where=_.yes),
        yes=_.yes.sum(),
        kinds=_.text.nunique(),
        latest=_.text.argmax(_.place),
        earliest=_.text.argmin(_.place),
        least=_.text.min(),
        most=_.text.max(),
    ),
    "none of no rows": lambda t: t.filter(_.place > 99).agg(n=_.count(), m=_.count(where=_.yes), s=_.whole.sum()),
    "windows": lambda t: t.mutate(
        row=ibis.row_number().over(OF_WHO),
        before=_.place.lag().over(OF_WHO),
        after=_.day.lead().over(OF_WHO),
        sum=_.place.sum().over(SO_FAR),
        two=_.place.sum().over(LAST_TWO),
        most=_.whole.max().over(SO_FAR),
        missing=_.yes.lag().over(OF_WHO).fill_null(True),
    ),
    "null is a group": lambda t: t.group_by("who", "yes").agg(n=_.count()),
    "joins": lambda t: t.left_join(t.filter(_.yes).select("who", other="place"), ["who"], rname="{name}_right").select(
        "place", "other"
    ),
    "those that are not there": lambda t: t.anti_join(t.filter(_.yes), "who").select("place"),
    "one after the other": lambda t: t.select("place", "who").union(t.select(place=_.place + 100, who=_.text)),
    "cases": lambda t: t.select(
        "place",
        x=ibis.cases((t.yes, 1.5), (t.place > 5, 0.25), else_=0.0),
        y=ibis.least(t.whole, 3),
        z=ibis.greatest(t.real, t.place),
        n=ibis.coalesce(t.who, t.text, ibis.literal("")),
        i=t.text.isin(("z", BEYOND)),
    ),
}


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory, make_settings: Any) -> Iterator[list[Connection]]:
    home = tmp_path_factory.mktemp("engines") / "a home [1] {2} *%20 é"
    here: Settings = make_settings(home, memory_limit="1GB")
    spark = make_settings(
        home,
        engine="spark",
        spark_master="local[2]",
        memory_limit="1GB",
        spark_config={"spark.sql.shuffle.partitions": 2, "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1"},
    )
    with connect(here) as duckdb, connect(spark) as other:
        yield [duckdb, other]


def answers(engines: list[Connection], saying: Callable[[Table], Table]) -> list[list[dict[str, Any]]]:
    """What every engine says, in one order."""
    found = [saying(table_of(engine, CONTENT)).to_pyarrow().to_pylist() for engine in engines]
    return [sorted(rows, key=repr) for rows in found]


@pytest.mark.parametrize("name", SAYINGS)
def test_both_engines_say_the_same(engines: list[Connection], name: str) -> None:
    one, other = answers(engines, SAYINGS[name])
    assert one
    assert other == one
