"""Everything is built on DuckDB and on a Spark whose workers are processes of their own: equal tables."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from features import chain
from features.build import CHAINED, DAILY, build
from features.chain import states_before
from features.engine import connect, table_of
from features.versions import files_of
from features.view import View
from features.views import USER_INTEREST, USER_SEQUENCE, views
from infra.partitions import Span
from infra.settings import Settings

pytestmark = [pytest.mark.thorough, pytest.mark.timeout(1500)]  # many minutes where the machine is busy

START = date(2010, 3, 26)  # the clocks of London go forward on the 28th
SPAN = Span(START, START + timedelta(days=8))
ONE_PASS = Span(START, SPAN.end - timedelta(days=1))
LAST = Span(ONE_PASS.end, SPAN.end)
EMPTY = START + timedelta(days=3)
LATE = START + timedelta(days=5)
EVERY_DAY = list(SPAN.days())
DAYS = [day for day in EVERY_DAY if day != EMPTY]
WINDOWS, HALF_LIVES = (1, 3), (2, 30)
VIEWS = views(WINDOWS, HALF_LIVES)

MINUTE = 60_000_000
#: Few moments, so that many events share one; a day of 23 hours has them all.
MOMENTS = [0, 1, 60 * MINUTE + 999_999, 600 * MINUTE, 601 * MINUTE, 23 * 60 * MINUTE - 1]
# in order of bytes, of UTF-16, of a language and without case they are all different
USERS = ["Zo\u00eb", "Zoe\u0308", "anna", "\u00c5KE", "\uff41", "\U0001f600", "u'1"]
ITEMS = ["mug", "Mug", "\u00e9tag\u00e8re", "\u8336\u7897", "\U0001fad6", "lamp", "\uff41", "a b"]
COUNTRIES = ["Norway", "norway", "\u00c5land", "a=b", None]
CAMPAIGNS = ["spring", "\U0001f331", None]
SEGMENTS = ("campaign", "country", "source")
#: A guest's purchase is theirs until a late login says whose it is: of one nothing is left, of one what was before.
NEVER_WAS, WAS_BEFORE = "\u00e6", "zz"
TYPES = ["impression", "view", "click", "cart", "favorite", "purchase", "return", "review", "login", "search"]
QUICK = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
CLUSTER: dict[str, Any] = {
    "engine": "spark",
    "spark_master": "local-cluster[2,1,1024]",
    "spark_config": {
        "spark.sql.shuffle.partitions": 3,
        "spark.executor.memory": "768m",
        "spark.driver.extraJavaOptions": QUICK,
        "spark.executor.extraJavaOptions": QUICK,
    },
}


def _log(settings: Settings, event_of: Callable[..., Any]) -> Iterator[dict[str, Any]]:
    """Events of users and guests; a seventh says nothing where it may be silent."""
    draw = random.Random(3)  # noqa: S311
    for number in range(400):
        kind = draw.choice(TYPES)
        user = draw.choice(USERS) if kind == "login" or draw.random() < 0.6 else None
        yield event_of(
            settings,
            draw.choice(DAYS),
            draw.choice(MOMENTS),
            event_id=f"e{number}",
            event_type=kind,
            user_id=user,
            session_id=draw.choice([*"stuvwx", None]),
            item_id=None if kind in ("login", "search") else draw.choice(ITEMS),
            dwell_ms=draw.choice([None, 0, 1, 59_999, 60_000, 333_333, 10**9]),
            quantity=draw.choice([None, 1, 3, 10**9]),
            price=draw.choice([None, 0, 199, 10**8]),
            is_bot=draw.random() < 0.1,
            source_position=draw.randrange(5),
            country=draw.choice(COUNTRIES),
            campaign=draw.choice(CAMPAIGNS),
        )
    yield event_of(settings, START, 0, event_id="once", user_id=WAS_BEFORE, item_id=ITEMS[0], event_type="cart")
    for name, user in (("never", NEVER_WAS), ("before", WAS_BEFORE)):
        login = {"event_type": "login", "item_id": None, "user_id": user, "session_id": name}
        bought = {"event_type": "purchase", "item_id": ITEMS[1], "user_id": None, "session_id": name}
        yield event_of(settings, LATE, 0, event_id=f"login-{name}", **login)
        yield event_of(settings, LATE, 2 * MINUTE, event_id=f"bought-{name}", **bought)


def _late(settings: Settings, event_of: Callable[..., Any]) -> Iterator[dict[str, Any]]:
    """A purchase more, and the logins that take purchases from those who had them."""
    yield event_of(settings, LATE, 0, event_id="late", user_id=USERS[0], item_id=ITEMS[0], event_type="purchase")
    for name in ("never", "before"):
        login = {"event_type": "login", "item_id": None, "user_id": USERS[0], "session_id": name}
        yield event_of(settings, LATE, MINUTE, event_id=f"late-{name}", **login)


def _shop(settings: Settings, shop_of: Any, event_of: Any) -> Any:
    """Two categories; two items change in the middle, their price too. Days in one pass, then one more day."""
    made = shop_of(settings)
    made.items({**dict.fromkeys(ITEMS[:4], "tea"), **dict.fromkeys(ITEMS[4:7], "\u00d6l")})
    moment = datetime(2010, 3, 30, 9, 1, tzinfo=UTC)
    made.items({"mug": "late", "\u00e9tag\u00e8re": "\u8336"}, "later", bulk=False, moment=moment, price=150)
    made.publish(SPAN, _log(settings, event_of))
    build(settings, ONE_PASS)
    # with the last day's delivery comes something about one of the days before
    made.publish(Span.of_day(LATE), _late(settings, event_of), "late", lag=(LAST.start - LATE) + timedelta(hours=1))
    build(settings, Span(LATE, SPAN.end), only_new=True)
    return made


@pytest.fixture(scope="module")
def shops(tmp_path_factory: pytest.TempPathFactory, make_settings: Any, shop_of: Any, event_of: Any) -> dict[str, Any]:
    """The shop as each engine builds it."""
    common: dict[str, Any] = {
        "timezone": "Europe/London",
        "memory_limit": "1GB",
        "window_days": WINDOWS,
        "half_life_days": HALF_LIVES,
        "sequence_length": 5,
        "history_items": 3,
        "segments": SEGMENTS,
    }
    made = {}
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(chain, "CHECKPOINT_DAYS", 2)  # the first build leaves one, which the late one drops
        for name, engine in (("duckdb", {}), ("spark", CLUSTER)):
            settings = make_settings(tmp_path_factory.mktemp(name) / "home", **common, **engine)
            made[name] = _shop(settings, shop_of, event_of)
    return made


def _tables(shops: dict[str, Any], path_of: Callable[[Any], Path]) -> tuple[pa.Table, pa.Table]:
    return pq.read_table(path_of(shops["duckdb"].lake)), pq.read_table(path_of(shops["spark"].lake))


def test_both_build_the_same(shops: dict[str, Any]) -> None:
    """One test, since both shops take minutes: tiles, then all versions of all rows, then what is left behind."""
    for day in EVERY_DAY:
        for daily in DAILY:
            one, other = (shops[name].lake.daily(daily.name, day) for name in ("duckdb", "spark"))
            assert (pq.read_metadata(one).num_rows > 3) == (day != EMPTY)
            assert other.read_bytes() == one.read_bytes()
        for view in VIEWS:
            _same_rows(shops, view, day)
    _same_checkpoints(shops)
    _segments_and_lost_rows_are_there(shops["spark"])
    _nothing_is_left(shops["spark"])


#: Views of which a row falls also on the day on which something leaves a window.
WINDOWED = ("windows", "covisits")
#: Views whose rows of the day after the late one are others too.
AFTER = (*WINDOWED, USER_INTEREST)


def _same_rows(shops: dict[str, Any], view: View, day: date) -> None:
    """Strengths of interest to nine digits, everything else to the byte."""
    files = [files_of(shops[name].lake, view.name, Span.of_day(day)) for name in ("duckdb", "spark")]
    assert [path.name for path in files[0]] == [path.name for path in files[1]]
    assert len(files[0]) == 1 + (day >= LATE and day < LAST.start and (day == LATE or view.name.endswith(AFTER)))
    for paths in zip(*files, strict=True):
        _same_content(view, *paths)
        assert (pq.read_metadata(paths[0]).num_rows > 0) == (day != EMPTY or view.name.endswith(WINDOWED))


def _same_content(view: View, one: Path, other: Path) -> None:
    if view.name != USER_INTEREST:
        assert other.read_bytes() == one.read_bytes(), one
        return
    wanted, found = pq.read_table(one), pq.read_table(other)
    assert found.schema == wanted.schema
    for name in wanted.column_names:
        _equal(wanted[name], found[name])


def _equal(one: pa.ChunkedArray, other: pa.ChunkedArray) -> None:
    if one.type != pa.list_(pa.float64()):
        assert other.equals(one)
        return
    assert pc.list_value_length(other).equals(pc.list_value_length(one))
    np.testing.assert_allclose(pc.list_flatten(other), pc.list_flatten(one), rtol=1e-9)


def _same_checkpoints(shops: dict[str, Any]) -> None:
    """That of the last day alone, and the states that a build after it goes on from."""
    for view in (view for view in VIEWS if view.name in CHAINED):
        saved = [sorted(shops[name].lake.checkpoint_folder(view.name).iterdir()) for name in ("duckdb", "spark")]
        assert [[path.stem for path in paths] for paths in saved] == [[f"dt={LAST.start}"]] * 2
        _same_content(view, saved[0][0], saved[1][0])
    users = pa.table({"user_id": USERS[:3]})
    view = next(view for view in VIEWS if view.name == USER_SEQUENCE)
    states = []
    for shop in shops.values():
        with connect(shop.settings) as connection:
            rows = states_before(connection, shop.lake, view, SPAN.end, table_of(connection, users))
            states.append(rows.order_by("user_id").to_pyarrow().to_pylist())
    assert states[1] == states[0]
    assert {row["user_id"] for row in states[0]} == set(USERS[:3])


def _segments_and_lost_rows_are_there(shop: Any) -> None:
    """What equal tables would not tell if both engines left it out."""
    named = set(pq.read_table(shop.lake.daily("segments", START))["segment"].to_pylist())
    said = [*(f"country={name}" for name in COUNTRIES if name), *(f"campaign={name}" for name in CAMPAIGNS if name)]
    assert named == {*said, "source=test"}
    items = {NEVER_WAS: [[ITEMS[1]], []], WAS_BEFORE: [[ITEMS[0], ITEMS[1]], [ITEMS[0]]]}
    for user, wanted in items.items():
        versions = [row for row in shop.versions(USER_SEQUENCE, LATE) if row["user_id"] == user]
        assert [row["sequence_items"] for row in versions] == wanted


def _nothing_is_left(shop: Any) -> None:
    """No process, no file, and the environment as it was."""
    assert [child.cmdline() for child in psutil.Process().children(recursive=True) if "java" in child.name()] == []
    assert list(shop.lake.spill.iterdir()) == []
    assert not {"spark-warehouse", "metastore_db", "derby.log", "work", "artifacts"} & {
        path.name for path in Path().iterdir()
    }
    assert "SPARK_HOME" not in os.environ
