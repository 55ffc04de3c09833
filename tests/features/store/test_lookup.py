"""One lookup of everything: what Feast would answer, what is stale, and what stands for what is not there."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.engine import default_engine
from features.store import repository
from features.store.decode import decoder
from features.store.encode import encoded
from features.store.exchange import exchange
from features.store.keys import entity_key, feature_field, key_prefix
from features.store.lookup import Lookup
from features.store.materialise import WATERMARK
from features.views import SERVICE, USER_INTEREST, USER_ITEMS, USER_SEQUENCE, views_of
from features.window_views import CATEGORY_WINDOWS, ITEM_WINDOWS, SEGMENT_WINDOWS, USER_WINDOWS, horizon_days
from infra.errors import FeatureError, ServiceError
from infra.partitions import day_end
from infra.valkey import valkey

START = date(2011, 1, 3)
WINDOWS = (1, 3)
DEFAULTS = {"int64": 0, "float64": 0.0, "list<string>": [], "list<int64>": [], "list<float64>": []}


#: Views of other entities than users and items.
OF_OTHERS = {CATEGORY_WINDOWS, SEGMENT_WINDOWS}


def through(shop: Any) -> datetime:
    return day_end(START + timedelta(days=7), shop.settings.zone)


@pytest.mark.integration
def test_it_is_what_feast_answers(store: Any) -> None:
    """Every feature of entities that are known and of one that is not, of each kind."""
    users = ["st-u1", "st-u2", "st-nobody"]
    others = {
        "item_id": ["st-i2", "st-nothing", "st-i1"],
        "category": ["lamp", "nothing", "mug"],
        "segment": ["country=Norway", "country=Nowhere"],
    }
    found = Lookup(store.settings).look_up({"user_id": users, **others}, through(store))
    feast = repository.open_store(store.settings)
    service = feast.get_online_features(feast.get_feature_service(SERVICE), {"user_id": users}).to_dict(True)
    for entity, ids in others.items():
        of_it = [view for view in views_of(store.settings) if view.entity == entity]
        names = [f"{view.name}:{column}" for view in of_it for column in view.columns]
        service |= feast.get_online_features(names, {entity: ids}).to_dict(True)
    assert found.rows.keys() == {view.name for view in views_of(store.settings)}
    for view in views_of(store.settings):
        known = found.rows[view.name].holds
        assert any(known), view.name
        assert not all(known), view.name
        rows = found.rows[view.name]
        for feature in view.features:
            expected = [DEFAULTS[feature.kind] if value is None else value for value in service[feature.name]]
            assert rows.columns[feature.name] == expected, feature.name
            moments = [through(store) - age if age is not None else None for age in rows.age]
            assert [round(moment.timestamp()) if moment else 0 for moment in moments] == service[f"{feature.name}__ts"]


@pytest.mark.integration
def test_a_user_and_two_hundred_items_are_one_round_trip(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    trips: list[int] = []

    def counted(client: Any, commands: Any) -> Any:
        trips.append(len(commands))
        return exchange(client, commands)

    monkeypatch.setattr("features.store.fetch.exchange", counted)
    items = ["st-i1", *(f"st-x{number}" for number in range(199))]
    found = Lookup(store.settings).look_up({"user_id": ["st-u1"], "item_id": items}, through(store))
    assert trips == [1 + 1 + 200], "the watermark, the user, the items"
    assert found.rows[ITEM_WINDOWS].holds == [True, *[False] * 199]


@pytest.mark.integration
def test_another_kind_of_online_store_answers_alike(store: Any, tmp_path: Path) -> None:
    """Feast's own on SQLite, of the same definitions and files; no code of ours writes or reads it."""
    settings = store.settings
    repository.open_store(settings)  # imports Feast without what its metrics do to this process
    from feast import FeatureStore, RepoConfig

    from features.store.definitions import definitions

    plain = FeatureStore(
        config=RepoConfig(
            project="plain", provider="local", registry=str(tmp_path / "registry.db"),
            offline_store={"type": "duckdb"}, online_store={"type": "sqlite", "path": str(tmp_path / "online.db")},
            materialization={"pull_latest_features": True}, entity_key_serialization_version=3,
        )
    )  # fmt: skip
    plain.apply(definitions(settings))
    moment = through(store)
    names = [view.name for view in views_of(settings) if view.entity == "user_id"]
    with default_engine(settings):
        plain.materialize(moment - timedelta(days=30), moment + timedelta(seconds=1), names)
    answered = plain.get_online_features(plain.get_feature_service(SERVICE), {"user_id": ["st-u1"]}).to_dict()
    expected = Lookup(settings).user("st-u1", moment)
    assert {name: answered[name] for name in expected} == {name: [value] for name, value in expected.items()}


@pytest.mark.integration
def test_what_is_missing_is_stated(store: Any) -> None:
    found = Lookup(store.settings).look_up({"user_id": ["st-nobody", "st-u1"], "item_id": []}, through(store))
    for view in (view for view in views_of(store.settings) if view.name not in OF_OTHERS):
        rows = found.rows[view.name]
        if view.entity == "user_id":
            assert (rows.age, rows.holds) == ([None, timedelta(0)], [False, True])
            assert {feature.name: rows.columns[feature.name][0] for feature in view.features} == {
                feature.name: DEFAULTS[feature.kind] for feature in view.features
            }
        else:
            assert rows.columns == {name: [] for name in view.columns}


@pytest.mark.integration
def test_staleness_goes_by_the_shops_clock(store: Any) -> None:
    ttl = timedelta(days=horizon_days(WINDOWS) + 1)
    lookup, asked = Lookup(store.settings), {"user_id": ["st-u1", "st-u2"], "item_id": ["st-i1"]}
    found = lookup.look_up(asked, through(store) + ttl)
    assert (found.through, found.behind) == (through(store), ttl)
    # the second user's windows changed last when the event of the fifth day left them
    assert found.rows[USER_WINDOWS].age == [ttl, ttl]
    assert found.rows[USER_WINDOWS].holds == [True, True]
    late = lookup.look_up(asked, through(store) + ttl + timedelta(microseconds=1))
    assert late.rows[USER_WINDOWS].holds == [False, False]
    assert late.rows[USER_WINDOWS].age[0] == ttl + timedelta(microseconds=1)
    assert late.rows[USER_WINDOWS].columns["favorite_count_1d"] == [0, 0]
    assert late.rows[ITEM_WINDOWS].columns["item_favorite_count_1d"] == [0]
    assert late.rows[USER_SEQUENCE].holds == [True, True]
    assert found.rows[USER_SEQUENCE].age[1] > found.rows[USER_SEQUENCE].age[0]


@pytest.mark.integration
def test_only_what_is_named_is_read(store: Any) -> None:
    lookup, asked = Lookup(store.settings), {"user_id": ["st-u1"], "item_id": ["st-i1"]}
    names = [USER_INTEREST, f"{ITEM_WINDOWS}:item_purchase_count_3d", f"{USER_WINDOWS}:view_count_1d"]
    found = lookup.look_up(asked, through(store), names)
    assert {name: list(rows.columns) for name, rows in found.rows.items()} == {
        USER_INTEREST: list(next(view for view in views_of(store.settings) if view.name == USER_INTEREST).columns),
        ITEM_WINDOWS: ["item_purchase_count_3d"],
        USER_WINDOWS: ["view_count_1d"],
    }


@pytest.mark.integration
def test_a_hash_whose_fields_lie_in_another_order_is_read_alike(store: Any) -> None:
    """As after a view was written by Feast, changed, or kept by Valkey as a table."""
    key = entity_key(key_prefix("item_id"), "st-i1")
    lookup, asked = Lookup(store.settings), {"item_id": ["st-i1", "st-i2"]}
    before = lookup.look_up(asked, through(store))
    with valkey(store.settings) as client:
        fields = client.hgetall(key)
        client.delete(key)
        client.hset(key, mapping={b"gone": b"x", **dict(reversed(fields.items()))})
        try:
            assert lookup.look_up(asked, through(store)) == before
        finally:
            client.delete(key)
            client.hset(key, mapping=fields)


@pytest.mark.integration
@pytest.mark.parametrize(
    ("keys", "features", "said"),
    [
        ({"user": ["u"]}, [], r"no entity user\. Did you mean user_id\?"),
        ({"user_id": [5]}, [], r"A user_id is a text, and 5 is of type int\. Ask for '5'\."),
        ({"user_id": [None]}, [], "None is of type NoneType"),
        ({"user_id": [b"st-u1"]}, [], r"b'st-u1' is of type bytes\. Ask for 'st-u1'\."),
        ({"user_id": ["st-u1", ""]}, [], r"An empty user_id is nobody's\. Leave out who has none\."),
        ({"user_id": ["\ud83d"]}, [], r"The user_id '.ud83d' is no text: surrogates not allowed"),
        ({"item_id": "st-i1"}, [], r"'st-i1' is one item_id and not a list of them\. Ask for \['st-i1'\]\."),
        ({"user_id": ["u"]}, ["user_window"], r"no feature view user_window\. Did you mean user_windows\?"),
        ({"user_id": ["u"]}, ["user_windows:views_1d"], r"no feature of user_windows views_1d\. "),
        ({"user_id": ["u"]}, ["user_items", "item_windows"], r"item_windows is about item_id: ask for some\."),
        ({"user_id": ["u"]}, ["zzz"], r"There are user_windows, .*docs/features\.md"),
    ],
)
def test_what_does_not_exist_is_named(store: Any, keys: Any, features: list[str], said: str) -> None:
    with pytest.raises(FeatureError, match=said):
        Lookup(store.settings).look_up(keys, through(store), features)


@pytest.mark.integration
def test_a_very_long_id_is_somebody_unknown(store: Any) -> None:
    """Of ten million bytes, within the time that an answer has; the client goes on with the next one."""
    lookup = Lookup(store.settings.model_copy(update={"api_timeout_ms": 5000}))
    found = lookup.look_up({"user_id": ["ü" * 5_000_000, "st-u1"]}, through(store))
    assert found.rows[USER_SEQUENCE].holds == [False, True]
    assert lookup.user("x" * 10_000_000, through(store)) == {}
    assert lookup.user("st-u1", through(store))


@pytest.mark.integration
def test_what_came_after_the_moment_is_not_seen(store: Any) -> None:
    """Online is what is known last; who asks as of before gets nothing instead of the future."""
    lookup, early = Lookup(store.settings), through(store) - timedelta(microseconds=1)
    with pytest.raises(FeatureError, match=r"was known at .* is not online any more: .*point_in_time"):
        lookup.look_up({"user_id": ["st-u1"]}, early)
    assert "favorite_count_1d" not in lookup.user("st-u1", early)
    assert "favorite_count_1d" in lookup.user("st-u1", through(store))
    _items, columns = lookup.item_stats(early)
    assert columns["item_interaction_count_1d"].tolist() == [0, 0]
    assert lookup.item_stats(through(store))[1]["item_interaction_count_1d"].tolist() == [1, 0]
    assert lookup.user("st-u1", datetime(1970, 1, 1, tzinfo=UTC)) == {}


@pytest.mark.integration
def test_a_moment_without_a_zone_is_refused(store: Any) -> None:
    with pytest.raises(FeatureError, match="has no time zone"):
        Lookup(store.settings).look_up({"user_id": ["u"]}, datetime(2011, 1, 1))  # noqa: DTZ001
    for ask in (Lookup(store.settings).user, Lookup(store.settings).user_row):
        with pytest.raises(FeatureError, match="has no time zone"):
            ask("st-u1", datetime(2011, 1, 1))  # noqa: DTZ001


@pytest.mark.integration
def test_a_user_id_of_another_type_is_refused(store: Any) -> None:
    with pytest.raises(FeatureError, match="13085 is of type int"):
        Lookup(store.settings).user(13085, through(store))  # type: ignore[arg-type]


@pytest.mark.integration
def test_an_empty_store_is_named(store: Any) -> None:
    with valkey(store.settings) as client:
        watermark = client.getdel(WATERMARK)
        try:
            with pytest.raises(FeatureError, match=r"Nothing is online yet: Valkey at .* Build and materialise a day"):
                Lookup(store.settings).look_up({"user_id": ["st-u1"]}, through(store))
            assert Lookup(store.settings).user("st-u1", through(store)) == {}
        finally:
            client.set(WATERMARK, watermark)


@pytest.mark.integration
def test_a_slow_store_is_not_waited_for(store: Any) -> None:
    settings = store.settings.model_copy(update={"api_timeout_ms": 200})
    lookup = Lookup(settings)
    lookup.look_up({"user_id": ["st-u1"]}, through(store))
    with valkey(settings) as client:
        client.execute_command("CLIENT", "PAUSE", "1500", "ALL")
        before = time.monotonic()
        with pytest.raises(ServiceError, match=r"does not answer in time: .*api_timeout_ms"):
            lookup.look_up({"user_id": ["st-u1"]}, through(store))
        assert time.monotonic() - before < 1.0
        client.ping()
    late = lookup.look_up({"user_id": ["st-u2"]}, through(store))
    assert late.rows[USER_SEQUENCE].columns["sequence_types"] != [[]], "the late answer was not taken for this one"


@pytest.mark.integration
def test_a_value_of_another_kind_is_named(store: Any) -> None:
    key, field = entity_key(key_prefix("user_id"), "st-u1"), feature_field(USER_ITEMS, "history_times")
    with valkey(store.settings) as client:
        before = client.hget(key, field)
        client.hset(key, field, b"\x20\x01")
        try:
            with pytest.raises(FeatureError, match="user_items:history_times is of another kind"):
                Lookup(store.settings).look_up({"user_id": ["st-u1"]}, through(store))
        finally:
            client.hset(key, field, before)


LONG = 200
VALUES = {
    "int64": st.integers(-(2**63), 2**63 - 1),
    "float64": st.floats(allow_nan=False),
    "list<string>": st.lists(st.text(max_size=LONG), max_size=LONG),
    "list<int64>": st.lists(st.integers(-(2**63), 2**63 - 1), max_size=LONG),
    "list<float64>": st.lists(st.floats(allow_nan=False), max_size=LONG),
}
TYPES = {
    "int64": pa.int64(),
    "float64": pa.float64(),
    "list<string>": pa.list_(pa.string()),
    "list<int64>": pa.list_(pa.int64()),
    "list<float64>": pa.list_(pa.float64()),
}


@pytest.mark.parametrize("kind", VALUES)
@given(data=st.data())
def test_a_value_is_read_as_it_was_written(kind: Any, data: Any) -> None:
    values = data.draw(st.lists(st.none() | VALUES[kind], min_size=1, max_size=5))
    read = decoder(kind)
    found = [read(said) for said in encoded(pa.array(values, TYPES[kind]), "x")]
    assert found == [DEFAULTS[kind] if value is None else value for value in values]
    assert read(None) == DEFAULTS[kind]


def test_defaults_are_not_shared() -> None:
    read = decoder("list<string>")
    read(None).append("x")
    assert read(None) == []


def test_many_numbers_of_all_lengths_are_read_as_feast_reads_them() -> None:
    numbers = [int(number) for number in np.concatenate([2 ** np.arange(63), -(2 ** np.arange(63)), [0]])]
    assert decoder("list<int64>")(encoded(pa.array([numbers]), "x")[0]) == numbers
