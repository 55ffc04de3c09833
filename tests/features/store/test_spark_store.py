"""Feast's historical retrieval on Spark gives the rows that it gives on DuckDB."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from features.build import build
from features.store.point_in_time import user_rows
from features.store.repository import apply, open_store
from infra.children import child_environment
from infra.partitions import Span, day_end
from infra.settings import Settings

pytestmark = [pytest.mark.integration, pytest.mark.thorough]

START = date(2011, 1, 3)
SPAN = Span(START, START + timedelta(days=8))
HOUR = 3_600_000_000


@pytest.fixture
def late(store: Any, event_of: Any) -> Iterator[datetime]:
    """A row of the first day that came two days late, and when it did: the day has a revision beside its file."""
    known = day_end(START + timedelta(days=2), store.settings.zone)
    row = event_of(store.settings, START, 3 * HOUR, user_id="st-u1", item_id="st-i2", event_id="st-late")
    store.publish(Span.of_day(START), [row], delivery="late", lag=timedelta(days=2))
    build(store.settings, SPAN)
    assert list(store.lake.feature_folder("user_windows").glob("*.known=*.parquet"))
    return known


@pytest.fixture
def spark(store: Any) -> Iterator[Settings]:
    """The shop's settings on Spark, to which the registry has come; it is as before afterwards."""
    quick = {"spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1", "spark.sql.shuffle.partitions": 1}
    changed = {"engine": "spark", "spark_master": "local[1]", "spark_config": quick, "memory_limit": "1GB"}
    found = store.settings.model_copy(update=changed)
    apply(found)
    yield found
    apply(store.settings)


def test_spark_gives_the_rows_that_duckdb_gives(store: Any, late: datetime, spark: Settings) -> None:
    """What was known, before and after a late delivery; rows that have expired; users who are not known."""
    end = day_end(START, store.settings.zone)
    known = end + timedelta(hours=1)
    moments = [end, known - timedelta(microseconds=1), known, late - timedelta(microseconds=1), late]
    moments += [late + timedelta(days=30, microseconds=1), day_end(SPAN.end, store.settings.zone)]
    users = ["st-u1", "st-u2", "st-nobody"]
    asked = pa.table(
        {
            "user_id": [user for user in users for _ in moments],
            "event_timestamp": pa.array(moments * len(users), pa.timestamp("us", tz="UTC")),
            "basket": list(range(len(moments) * len(users))),
        }
    )
    apply(store.settings)
    expected = user_rows(store.settings, asked)
    apply(spark)
    found = user_rows(spark, asked)
    assert found.schema == expected.schema
    assert found.to_pylist() == expected.to_pylist()
    counts = expected["sequence_items"].to_pylist()[: len(moments)]
    assert [None if row is None else len(row) for row in counts] == [None, None, 2, 2, 3, 5, 5]


def test_feasts_own_command_line_reads_on_spark(store: Any, spark: Settings) -> None:
    """Its apply looks at every source: that needs a Spark, which it starts as the settings say."""
    command = [sys.executable, "-m", "infra.cli.main", "feast", "apply"]
    done = subprocess.run(command, env=child_environment(spark), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    view = open_store(spark).get_feature_view("user_windows")
    assert view.batch_source.path == f"file:{store.lake.feature_folder('user_windows')}/*.parquet"


def test_feast_on_spark_is_configured_as_the_build_is(spark: Settings) -> None:
    told = open_store(spark).config.offline_store.spark_conf
    assert (told["spark.master"], told["spark.sql.session.timeZone"]) == ("local[1]", "UTC")
    assert told["spark.sql.shuffle.partitions"] == "1"
