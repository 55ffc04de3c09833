"""Our store and Feast's own on Redis: equal keys, equal bytes, and each reads what the other wrote."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from features.store import repository
from features.store.encode import encoded
from features.store.keys import PROJECT, entity_key, key_prefix
from features.store.wire import microseconds, read_varint, timestamp, varint
from features.view import Feature, View
from infra.errors import FeatureError
from infra.settings import Settings
from infra.valkey import valkey

MOMENT = datetime(2011, 1, 4, 13, 59, 59, 250_000, tzinfo=UTC)
LARGE = 2**63 - 1
#: By kind the values of six users: zeros, extremes, what is longer than a byte of length says, null, nothing.
VALUES: dict[Any, list[Any]] = {
    "int64": [0, 1, -1, 127, 300, -(2**40)],
    "float64": [0.0, -0.0, 1.5, None, math.nan, -math.inf],
    "list<string>": [["a", "ü" * 200], [], None, [""], ["x"] * 100, [None, "y"]],
    "list<int64>": [[1, LARGE, -1, -LARGE - 1], [], None, [0], [128] * 100, [127, 128]],
    "list<float64>": [[1.5, -0.0], [], None, [0.0], [0.25] * 100, [math.nan, None]],
}
USERS = ["u1", "Ü2", "user 3", "", "5" * 300, "u\n6"]
VIEW = View("bytes_kinds", "user_id", tuple(Feature(f"of_{kind}", kind, "", "") for kind in VALUES), None, "all kinds")


@pytest.fixture
def stores(services: Settings) -> Iterator[Any]:
    """By name an online store of a client of its own, and its configuration; the users' hashes are gone afterwards."""
    own = repository.open_store(services).config
    from feast.infra.online_stores.redis import RedisOnlineStore

    from features.store.online import ValkeyOnlineStore

    plain = own.model_copy()
    feasts = {name: value for name, value in own.online_config.items() if name != "inbox_address"}
    plain.online_config = {**feasts, "type": "redis"}
    plain._online_store = None
    yield {"ours": (ValkeyOnlineStore(), own), "feast": (RedisOnlineStore(), plain)}
    forget(services)


def forget(settings: Settings) -> None:
    with valkey(settings) as client:
        client.delete(*keys())


def keys() -> list[bytes]:
    return [entity_key(key_prefix(VIEW.entity), user) for user in USERS]


def rows() -> pa.RecordBatch:
    moments = [MOMENT + timedelta(microseconds=number) for number in range(len(USERS))]
    content = {"user_id": USERS, **{f"of_{kind}": values for kind, values in VALUES.items()}}
    return pa.table({**content, "event_timestamp": moments, "created_timestamp": moments}, VIEW.schema).to_batches()[0]


def view_of(settings: Settings) -> Any:
    from feast import Entity, ValueType

    from features.store.definitions import feature_view

    return feature_view(VIEW, Entity(name="user_id", join_keys=["user_id"], value_type=ValueType.STRING), settings)


def write(stores: Any, name: str, view: Any) -> None:
    store, config = stores[name]
    if name == "ours":
        store.write_arrow(config, view, [rows().slice(0, 2), rows().slice(2)])
        return
    from feast import ValueType
    from feast.utils import _convert_arrow_to_proto

    written = _convert_arrow_to_proto(rows(), view, {"user_id": ValueType.STRING})
    store.online_write_batch(config, view, written, None)


def read(stores: Any, name: str, view: Any) -> list[Any]:
    from feast.protos.feast.types.EntityKey_pb2 import EntityKey
    from feast.protos.feast.types.Value_pb2 import Value

    store, config = stores[name]
    asked = [EntityKey(join_keys=["user_id"], entity_values=[Value(string_val=user)]) for user in USERS]
    return [
        (moment, {name: str(value) for name, value in row.items()})
        for moment, row in store.online_read(config, view, asked)
    ]


@pytest.mark.integration
def test_what_lies_in_valkey_is_equal_byte_by_byte(stores: Any, services: Settings) -> None:
    view, found = view_of(services), {}
    for name in ("feast", "ours"):
        write(stores, name, view)
        with valkey(services) as client:
            found[name] = [client.hgetall(key) for key in keys()]
        forget(services)
    assert found["ours"] == found["feast"]
    assert all(len(row) == len(VALUES) + 1 for row in found["feast"])


@pytest.mark.integration
@pytest.mark.parametrize(("writer", "reader"), [("ours", "feast"), ("feast", "ours")])
def test_each_reads_what_the_other_wrote(stores: Any, services: Settings, writer: str, reader: str) -> None:
    view = view_of(services)
    write(stores, writer, view)
    found = read(stores, reader, view)
    assert found == read(stores, writer, view)
    assert [moment for moment, _row in found] == rows()["event_timestamp"].to_pylist()
    assert [int(row["of_int64"].removeprefix("int64_val: ")) for _moment, row in found] == VALUES["int64"]


@pytest.mark.integration
def test_rows_written_again_are_replaced_and_other_views_stay(stores: Any, services: Settings) -> None:
    """The same moment, other values: Feast's own check of moments would keep the old ones."""
    view = view_of(services)
    with valkey(services) as client:
        client.hset(keys()[0], b"of another view", b"1")
        write(stores, "ours", view)
        before = client.hgetall(keys()[0])
        store, config = stores["ours"]
        changed = rows().set_column(1, rows().schema.field(1), pa.array([7] * len(USERS)))
        assert store.write_arrow(config, view, [changed]) == len(USERS)
        after = client.hgetall(keys()[0])
    assert before[b"of another view"] == after[b"of another view"] == b"1"
    assert {name for name in before if before[name] != after[name]} != set()
    assert before.keys() == after.keys()


@pytest.mark.integration
def test_an_answer_that_is_an_error_is_raised_and_the_connection_is_not_used_again(
    stores: Any, services: Settings
) -> None:
    store, config = stores["ours"]
    with valkey(services) as client:
        client.set(keys()[1], "no hash")
    with pytest.raises(redis.ResponseError, match="wrong kind"):
        store.write_arrow(config, view_of(services), [rows()])
    with valkey(services) as client:
        client.delete(keys()[1])
    assert store.write_arrow(config, view_of(services), [rows()]) == len(USERS)
    assert store._get_client(config.online_store).ping()


@given(st.integers(-(2**63), 2**63 - 1))
def test_a_number_is_read_as_it_was_written(number: int) -> None:
    written = varint(number)
    assert read_varint(b"?" + written, 1) == (number, 1 + len(written))
    assert encoded(pa.array([[number, 0]]), "x")[0].endswith(written + b"\0")


@given(st.integers(-(10**15), 10**16))
def test_a_moment_is_read_as_it_was_written(number: int) -> None:
    assert microseconds(timestamp(number)) == number


def test_a_column_that_the_online_store_does_not_hold_is_named() -> None:
    with pytest.raises(FeatureError, match="column age is int32"):
        encoded(pa.array([1], pa.int32()), "age")
    with pytest.raises(FeatureError, match="column times has a list with a null"):
        encoded(pa.array([[1, None]]), "times")


def test_keys_are_those_of_feasts_project() -> None:
    assert entity_key(key_prefix("user_id"), "u1").endswith(b"u1" + PROJECT.encode())
