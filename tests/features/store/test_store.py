"""The store with its real servers: what is online is what the files hold, and nothing from the future."""

from __future__ import annotations

import fcntl
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.build import build
from features.engine import default_engine
from features.inputs import stat_columns
from features.last_event import USER_LAST_EVENT
from features.state import from_row
from features.store import repository
from features.store.expiry import by_entity
from features.store.keys import key_prefix
from features.store.lookup import Lookup
from features.store.materialise import WATERMARK, materialise
from features.store.point_in_time import item_stats_by_day, user_rows
from features.views import USER_SEQUENCE, views_of
from features.window_views import USER_WINDOWS, horizon_days
from infra.errors import FeatureError, LakeError, ServiceError, SettingsError
from infra.lake import read_json, write_json
from infra.partitions import Span, day_end
from infra.settings import Settings
from infra.valkey import valkey

pytestmark = pytest.mark.integration

START = date(2011, 1, 3)
SPAN = Span(START, START + timedelta(days=8))
HOUR = 3_600_000_000
WINDOWS = (1, 3)


def through(shop: Any, day: int) -> datetime:
    return day_end(START + timedelta(days=day), shop.settings.zone)


def test_apply_again_changes_nothing_and_keeps_what_was_materialised(store: Any) -> None:
    before = {view.name: view for view in repository.open_store(store.settings).list_feature_views()}
    repository.apply(store.settings)
    after = {view.name: view for view in repository.open_store(store.settings).list_feature_views()}
    ours = {view.name for view in views_of(store.settings)}
    assert set(after) == {*ours, USER_LAST_EVENT}
    for name, view in after.items():
        assert bool(view.materialization_intervals) == (name in ours)
        assert view == before[name]
        assert view.last_updated_timestamp == before[name].last_updated_timestamp
        assert all(field.description for field in view.features)


def test_feast_knows_who_answers_for_a_feature_and_what_it_is(store: Any) -> None:
    feast = repository.open_store(store.settings)
    for view in views_of(store.settings):
        found = feast.get_feature_view(view.name)
        assert (found.owner, found.description) == (view.owner, view.description)
        fields = {field.name: field for field in found.features}
        assert fields.keys() == set(view.columns)
        for feature in view.features:
            field = fields[feature.name]
            assert field.tags == {"owner": view.owner, **({"unit": feature.unit} if feature.unit else {})}
            assert field.description == f"{feature.description} ({feature.unit})".removesuffix(" ()")


def test_no_password_lies_in_the_home_but_among_the_secrets(store: Any) -> None:
    home = store.settings.home
    words = [path.read_bytes() for path in (home / "secrets").iterdir()]
    others = [path for path in (home / "lake").rglob("*") if path.is_file()] + list(home.glob("*.yaml"))
    assert not any(word in path.read_bytes() for path in others for word in words)


def test_online_equals_offline(store: Any) -> None:
    """Every user's row is the last one in the files; the last days came along with the span."""
    lookup, moment = Lookup(store.settings), through(store, 7)
    assert lookup.materialised_through() == moment
    for user in ("st-u1", "st-u2"):
        row = lookup.user(user, moment)
        for view in views_of(store.settings):
            if view.entity == "user_id":
                rows = [
                    found for day in store.rows(view.name, SPAN).values() for found in day if found["user_id"] == user
                ]
                assert {name: row[name] for name in view.columns} == {name: rows[-1][name] for name in view.columns}


def test_historical_equals_online_at_the_end(store: Any) -> None:
    moment = through(store, 7) + timedelta(hours=2)
    asked = pa.table(
        {"user_id": ["st-u2", "st-u1"], "event_timestamp": pa.array([moment] * 2, pa.timestamp("us", tz="UTC"))}
    )
    lookup = Lookup(store.settings)
    for row in user_rows(store.settings, asked).to_pylist():
        online = lookup.user(row["user_id"], moment)
        assert {name: row[name] for name in online} == online
        assert all(row[name] is None for name in row if name not in (*online, "user_id", "event_timestamp"))


def test_history_knows_only_what_was_known(store: Any) -> None:
    """The row of a day is known an hour after T; and a later moment does not change an earlier one."""
    end = through(store, 0)
    moments = [
        end - timedelta(minutes=1),
        end,
        end + timedelta(minutes=59),
        end + timedelta(minutes=60),
        through(store, 7),
    ]
    asked = pa.table(
        {
            "user_id": ["st-u1"] * len(moments),
            "event_timestamp": pa.array(moments, pa.timestamp("us", tz="UTC")),
            "basket": list(range(len(moments))),
        }
    )
    rows = user_rows(store.settings, asked).to_pylist()
    assert [row["basket"] for row in rows] == list(range(len(moments)))
    assert [row["sequence_items"] for row in rows[:3]] == [None, None, None]
    assert rows[3]["sequence_items"] == ["st-i1", "st-i2"]
    assert rows[4]["sequence_items"] == ["st-i1", "st-i2", "st-i2"]


def test_before_the_history_nothing_was_known(store: Any) -> None:
    long_ago = [datetime(1970, 1, 1, tzinfo=UTC), datetime(2011, 1, 1, tzinfo=UTC)]
    moments = pa.array(long_ago, pa.timestamp("us", tz="UTC"))
    rows = user_rows(store.settings, pa.table({"user_id": ["st-u1", "st-u2"], "event_timestamp": moments})).to_pylist()
    assert [row["user_id"] for row in rows] == ["st-u1", "st-u2"]
    assert all(row[name] is None for row in rows for name in row if name not in ("user_id", "event_timestamp"))
    day = date(1990, 1, 1)
    _items, columns = item_stats_by_day(store.settings, [day])[day]
    assert not any(values.any() for values in columns.values())


MOMENT = pa.array([datetime(2011, 1, 11, tzinfo=UTC)], pa.timestamp("us", tz="UTC"))


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"user_id": pa.array([5]), "event_timestamp": MOMENT}, "user_id is a column of int64. Give user_id as texts"),
        ({"user_id": pa.array([b"st-u1"]), "event_timestamp": MOMENT}, "user_id is a column of binary"),
        ({"user_id": pa.array([None], pa.string()), "event_timestamp": MOMENT}, "column of string, 1 of them empty"),
        ({"event_timestamp": MOMENT}, "The moments have no column user_id"),
        ({"user_id": ["st-u1"]}, "The moments have no column event_timestamp"),
        (
            {"user_id": ["st-u1"], "event_timestamp": pa.array([datetime(2011, 1, 11)])},  # noqa: DTZ001
            "Give event_timestamp as moments with a time zone",
        ),
    ],
)
def test_moments_of_another_kind_are_refused(store: Any, asked: dict[str, Any], said: str) -> None:
    with pytest.raises(FeatureError, match=said):
        user_rows(store.settings, pa.table(asked))


def test_a_file_of_the_features_that_is_not_whole_is_named(store: Any) -> None:
    path = store.lake.feature(USER_SEQUENCE, START)
    content = path.read_bytes()
    path.write_bytes(content[:100])
    try:
        with pytest.raises(LakeError, match=rf"{path.name} is not whole: .*the next build makes its day again"):
            user_rows(store.settings, pa.table({"user_id": ["st-u1"], "event_timestamp": MOMENT}))
    finally:
        path.write_bytes(content)


def test_a_file_whose_column_is_of_another_type_is_named(store: Any) -> None:
    path = store.lake.feature(USER_SEQUENCE, START)
    content = path.read_bytes()
    table = pq.read_table(path)
    place = table.schema.get_field_index("sequence_times_us")
    pq.write_table(table.set_column(place, "sequence_times_us", pa.array([["1"]] * len(table))), path)
    try:
        said = rf"{path.name}: sequence_times_us is list<.*string>, not list<.*int64>\. .*build its days again"
        with pytest.raises(LakeError, match=said):
            user_rows(store.settings, pa.table({"user_id": ["st-u1"], "event_timestamp": MOMENT}))
        with pytest.raises(LakeError, match=said):
            materialise(store.settings, SPAN)
    finally:
        path.write_bytes(content)


@pytest.mark.parametrize("kind", [pa.large_string(), pa.string_view()])
def test_texts_may_be_long_ones(store: Any, kind: pa.DataType) -> None:
    """As Polars has them; the caller's columns stay as they are."""
    asked = pa.table({"user_id": pa.array(["st-u1"], kind), "event_timestamp": MOMENT})
    found = user_rows(store.settings, asked)
    assert found.schema.field("user_id").type == kind
    plain = user_rows(store.settings, asked.set_column(0, "user_id", pa.array(["st-u1"])))
    assert found.drop_columns("user_id").equals(plain.drop_columns("user_id"))
    assert plain["sequence_items"].to_pylist() != [None]


def test_moments_are_whole_microseconds(store: Any) -> None:
    whole = int(MOMENT[0].as_py().timestamp()) * 10**9
    for more, fits in ((1000, True), (1, False)):
        moments = pa.array([whole + more], pa.timestamp("ns", tz="Europe/Oslo"))
        asked = pa.table({"user_id": ["st-u1"], "event_timestamp": moments})
        if fits:
            assert user_rows(store.settings, asked)["event_timestamp"].type == moments.type
        else:
            with pytest.raises(FeatureError, match=r"no column of whole microseconds: .*Round its moments down"):
                user_rows(store.settings, asked)


def test_windows_expire_by_the_shops_clock(store: Any) -> None:
    lookup, ttl = Lookup(store.settings), timedelta(days=horizon_days(WINDOWS) + 1)
    moment = through(store, 7)
    age = lookup.user_row("st-u1", moment).age
    assert age[USER_WINDOWS] == age[USER_SEQUENCE] == timedelta(0)
    assert lookup.user("st-u1", moment + ttl)["favorite_count_1d"] == 1
    late = lookup.user_row("st-u1", moment + ttl + timedelta(seconds=1))
    assert "favorite_count_1d" not in late.values
    assert late.values["sequence_items"]
    assert late.age[USER_WINDOWS] == ttl + timedelta(seconds=1)
    items, columns = lookup.item_stats(moment + 2 * ttl)
    assert not any(columns[name].any() for name in columns if name != "price")
    assert columns["price"].tolist() == [100] * len(items)


def test_an_unknown_user_has_an_empty_row(store: Any) -> None:
    row = Lookup(store.settings).user("st-nobody", through(store, 7))
    assert row == {}
    assert not from_row("st-nobody", row, WINDOWS, (7,)).known


def test_item_statistics_of_the_whole_catalogue(store: Any) -> None:
    items, columns = Lookup(store.settings).item_stats(through(store, 7))
    assert items == ["st-i1", "st-i2"]
    assert tuple(columns) == stat_columns(WINDOWS)
    assert columns["item_interaction_count_1d"].tolist() == [1, 0]
    assert columns["item_purchase_count_3d"].tolist() == [0, 1]
    by_day = item_stats_by_day(store.settings, [START + timedelta(days=8)])
    ids, offline = by_day[START + timedelta(days=8)]
    assert ids == items
    for name, values in columns.items():
        assert offline[name].tolist() == values.tolist()


def test_item_statistics_by_day_equal_feasts_retrieval(store: Any) -> None:
    import pandas as pd

    settings, names = store.settings, [name for name in stat_columns(WINDOWS) if name != "price"]
    days = [START + timedelta(days=number) for number in range(16)]
    found = item_stats_by_day(settings, days)
    lag = timedelta(minutes=settings.history_lag_minutes)
    asked = [
        (item, day_end(day - timedelta(days=1), settings.zone) + lag) for day in days for item in ("st-i1", "st-i2")
    ]
    with default_engine(settings):
        job = repository.open_store(settings).get_historical_features(
            pd.DataFrame(asked, columns=["item_id", "event_timestamp"]),
            [f"item_windows:{name}" for name in names],
            filter_by_created_timestamp=True,
        )
        expected = job.to_df().sort_values(["event_timestamp", "item_id"]).fillna(0)
    for name in names:
        assert np.concatenate([found[day][1][name] for day in days]).tolist() == expected[name].astype(int).tolist()


def test_a_day_that_is_built_again_is_replaced_online(store: Any, event_of: Any, log: Any) -> None:
    """The same T, other values: Feast alone would keep the old ones."""
    day, settings = START + timedelta(days=7), store.settings
    marker, events = read_json(store.lake.partition(day)), log(settings)
    more = event_of(settings, day, 2 * HOUR, user_id="st-u1", item_id="st-i2", event_id="st-more", event_type="review")
    lookup = Lookup(settings)
    assert lookup.user("st-u1", through(store, 7))["review_count_1d"] == 0
    try:
        store.publish(Span.of_day(day), [*events, more])
        build(settings, Span.of_day(day))
        materialise(settings, Span.of_day(day))
        assert lookup.user("st-u1", through(store, 7))["review_count_1d"] == 1
    finally:
        store.publish(Span.of_day(day), events)
        write_json(store.lake.partition(day), marker)
        build(settings, Span.of_day(day))
        materialise(settings, Span.of_day(day))


def test_an_older_span_never_replaces_newer_rows(store: Any) -> None:
    before = Lookup(store.settings).user("st-u1", through(store, 7))
    done = materialise(store.settings, Span.of_day(START))
    assert datetime.fromisoformat(done["through"]) == through(store, 7)
    assert Lookup(store.settings).user("st-u1", through(store, 7)) == before


def test_the_registry_learns_what_was_materialised(store: Any) -> None:
    """From the T of the span's first day to that of the last day that is built, as Feast notes it."""
    known = {view.name: view for view in repository.open_store(store.settings).list_feature_views()}
    materialise(store.settings, Span.of_day(START + timedelta(days=2)))
    for name in (view.name for view in views_of(store.settings)):
        view = repository.open_store(store.settings).get_feature_view(name)
        *before, last = view.materialization_intervals
        assert before == known[view.name].materialization_intervals
        assert last == (through(store, 2), through(store, 7))
        assert view.state.name == "AVAILABLE_ONLINE"


def test_materialise_wants_a_built_span(store: Any) -> None:
    with pytest.raises(FeatureError, match=rf"{SPAN.end} is not built\. Run build_features"):
        materialise(store.settings, Span(START, SPAN.end + timedelta(days=1)))
    with pytest.raises(FeatureError, match="no features of no day"):
        materialise(store.settings, Span(START, START))


@pytest.mark.parametrize("day", [2, 5])
def test_a_day_that_is_half_built_does_not_go_online(store: Any, day: int) -> None:
    """As after a kill in the midst of a rebuild: of the span, or of a later day that would come along."""
    note = store.lake.built(START + timedelta(days=day))
    content = note.read_bytes()
    before = online(store.settings)
    note.unlink()
    try:
        with pytest.raises(FeatureError, match=rf"{START + timedelta(days=day)} is not built"):
            materialise(store.settings, Span(START, START + timedelta(days=3)))
        assert online(store.settings) == before
    finally:
        note.write_bytes(content)


def test_only_rows_that_changed_go_online(store: Any) -> None:
    """Of the last day as many as its files have; of all days one for every entity."""
    last = Span.of_day(START + timedelta(days=7))
    written = {view.name: len(store.rows(view.name, last)[last.start]) for view in views_of(store.settings)}
    assert materialise(store.settings, last)["rows"] == written
    assert written[USER_SEQUENCE] == 1, "the other user did nothing on that day"
    assert materialise(store.settings, SPAN)["rows"][USER_SEQUENCE] == 2


def test_materialising_twice_at_once_is_materialising_once(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """And nobody builds meanwhile."""
    done, before = materialise(store.settings, SPAN), online(store.settings)

    def watched(settings: Settings) -> None:
        with (settings.home / "run" / "build.lock").open("w") as lock, pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        repository.apply(settings)

    monkeypatch.setattr("features.store.materialise.apply", watched)
    with ThreadPoolExecutor(2) as both:
        found = list(both.map(materialise, [store.settings] * 2, [SPAN] * 2))
    assert [(one["through"], one["rows"], one["removed"]) for one in found] == [
        (done["through"], done["rows"], done["removed"])
    ] * 2
    assert online(store.settings) == before


def online(settings: Settings) -> dict[bytes, Any]:
    """The watermark, and every hash of the online store."""
    with valkey(settings) as client:
        keys = sorted(key for entity, _views in by_entity(settings) for key in client.keys(key_prefix(entity) + b"*"))
        return {WATERMARK.encode(): client.get(WATERMARK), **{key: client.hgetall(key) for key in keys}}


def test_nothing_is_known_before_the_first_materialisation(settings: Settings, services: Settings) -> None:
    other = settings.model_copy(update={"valkey_port": services.valkey_port, "home": services.home})
    with valkey(other) as client:
        kept = client.get(WATERMARK)
        client.delete(WATERMARK)
        try:
            lookup = Lookup(other)
            assert lookup.materialised_through() is None
            assert lookup.user("st-u1", datetime(2011, 1, 11, tzinfo=UTC)) == {}
        finally:
            if kept:
                client.set(WATERMARK, kept)


def test_retrieval_before_the_first_build_says_so(settings: Settings) -> None:
    with pytest.raises(FeatureError, match="No features are built"):
        item_stats_by_day(settings, [START])


def test_a_store_that_does_not_answer_raises(settings: Settings) -> None:
    with pytest.raises(ServiceError, match=r"Valkey at 127\.0\.0\.1:\d+ does not answer: .*penchant up"):
        Lookup(settings).user("st-u1", datetime(2011, 1, 11, tzinfo=UTC))


def test_the_processs_metrics_stay_in_memory(store: Any) -> None:
    assert not {"PROMETHEUS_MULTIPROCESS_DIR", "PROMETHEUS_MULTIPROC_DIR"} & set(os.environ)


def test_metrics_stay_in_memory_though_feast_was_imported_before(
    store: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROCESS_DIR", str(tmp_path / "feast_metrics_x"))
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path / "named by somebody"))
    repository.open_store(store.settings)
    assert "PROMETHEUS_MULTIPROCESS_DIR" not in os.environ
    assert os.environ["PROMETHEUS_MULTIPROC_DIR"] == str(tmp_path / "named by somebody")


def test_a_password_with_a_comma_is_refused(make_settings: Any, tmp_path: Any) -> None:
    settings = make_settings(tmp_path, valkey_url="redis://:a%2Cb@127.0.0.1:1/0")
    with pytest.raises(SettingsError, match="comma"):
        repository.open_store(settings)
