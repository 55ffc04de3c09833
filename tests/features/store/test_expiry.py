"""The online store does not grow for ever: whoever nothing holds for leaves it, by the shop's clock."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from features.files import write_table
from features.service import service_version
from features.store.expiry import LOOKED, by_entity
from features.store.keys import entity_key, key_prefix
from features.store.materialise import WATERMARK, materialise
from features.views import USER_SEQUENCE, views_of
from features.window_views import CATEGORY_WINDOWS, ITEM_WINDOWS, SEGMENT_WINDOWS, USER_WINDOWS, horizon_days
from infra.lake import write_json
from infra.partitions import Span, day_end
from infra.settings import Settings
from infra.valkey import valkey

pytestmark = pytest.mark.integration

START = date(2011, 1, 3)
WINDOWS = (1, 3)
TTL = horizon_days(WINDOWS) + 1
KEEP = TTL + 6


class Files:
    """Writes daily files whose rows are all zero; what is asked for are entities and days."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def write(self, number: int, **entities: list[str]) -> None:
        """The files of a day: by view the ids that have a row."""
        day = START + timedelta(days=number)
        moment = day_end(day, self.settings.zone)
        for view in views_of(self.settings):
            ids = entities.get(view.name, [])
            zeros = {field.name: [[] if pa.types.is_list(field.type) else 0] * len(ids) for field in view.schema}
            moments = dict.fromkeys(("event_timestamp", "created_timestamp"), [moment] * len(ids))
            content = {**zeros, view.entity: ids, **moments}
            write_table(pa.table(content, view.schema), self.settings.lake.feature(view.name, day))
        write_json(self.settings.lake.built(day), {"definitions": service_version(self.settings)})

    def online(self, *days: int) -> dict[str, Any]:
        return materialise(self.settings, Span(START + timedelta(days=days[0]), START + timedelta(days=days[-1] + 1)))

    def keys(self, entity: str) -> set[str]:
        prefix = key_prefix(entity)
        with valkey(self.settings) as client:
            found = client.keys(prefix.replace(b"\\", b"\\\\") + b"*")
        return {key[len(prefix) + 4 : -len("penchant")].decode() for key in found}

    def has(self, entity: str, id_: str, view: str) -> bool:
        with valkey(self.settings) as client:
            return bool(client.hexists(entity_key(key_prefix(entity), id_), f"_ts:{view}"))


@pytest.fixture
def files(services: Settings) -> Iterator[Files]:
    settings = services.model_copy(update={"window_days": WINDOWS, "online_user_days": KEEP})
    clean(settings)
    yield Files(settings)
    clean(settings)


def clean(settings: Settings) -> None:
    shutil.rmtree(settings.lake.root, ignore_errors=True)
    with valkey(settings) as client:
        for entity, _views in by_entity(settings):
            for key in client.keys(key_prefix(entity) + b"*"):
                client.delete(key)
        client.delete(WATERMARK, LOOKED)


def test_who_has_windows_alone_leaves_when_they_have_ended(files: Files) -> None:
    """Items, categories and segments; each view by its own ttl."""
    names = (ITEM_WINDOWS, CATEGORY_WINDOWS, SEGMENT_WINDOWS)
    lives = {view.entity: view.ttl_days or 0 for view in views_of(files.settings) if view.name in names}
    rows, written = {0: ["x-1", "x-2"], 2: ["x-2"]}, 0
    for number in sorted({0, 2, *(days + more for days in lives.values() for more in (0, 1))}):
        for day in range(written, number + 1):
            files.write(day, **{name: rows.get(day, []) for name in names})
        removed, written = files.online(written, number)["removed"], number + 1
        assert removed == sum(number == days + 1 for days in lives.values())
        for entity, days in lives.items():
            assert files.keys(entity) == ({"x-1", "x-2"} if number <= days else {"x-2"})


def test_users_stay_as_long_as_the_setting_says(files: Files) -> None:
    rows = {USER_WINDOWS: ["x-u1", "x-u2"], USER_SEQUENCE: ["x-u1"]}
    for number in range(KEEP + 1):
        files.write(number, **(rows if number == 0 else {}))
        files.online(number)
        # only what somebody did stays longer than the windows
        assert files.keys("user_id") == ({"x-u1", "x-u2"} if number <= TTL else {"x-u1"})
    assert files.has("user_id", "x-u1", USER_WINDOWS)
    files.write(KEEP + 1)
    assert files.online(KEEP + 1)["removed"] == 1
    assert files.keys("user_id") == set()


def test_users_stay_for_ever_where_the_setting_is_none(files: Files) -> None:
    files.settings = files.settings.model_copy(update={"online_user_days": 0})
    files.write(0, user_sequence=["x-u1"])
    files.online(0)
    for number in range(1, KEEP + 2):
        files.write(number)
    assert files.online(1, KEEP + 1)["removed"] == 0
    assert files.keys("user_id") == {"x-u1"}
    files.settings = files.settings.model_copy(update={"online_user_days": KEEP})
    assert files.online(KEEP + 1)["removed"] == 1, "a life that was shortened holds for those who are there"


def test_a_user_who_comes_back_stays_with_all_views(files: Files) -> None:
    for number in range(KEEP + 5):
        files.write(number, **{0: {USER_SEQUENCE: ["x-u1"]}, 8: {USER_WINDOWS: ["x-u1"]}}.get(number, {}))
        files.online(number)
        held = files.has("user_id", "x-u1", USER_SEQUENCE)
        assert held == (number <= 8 + TTL), "the windows' row of day 8 keeps the hash"


def test_a_whole_history_at_once_brings_nobody_who_would_have_left(files: Files) -> None:
    """The same keys as day by day, and none that has to be removed."""
    for number in range(3 * KEEP):
        files.write(
            number, user_sequence=[f"x-u{number}"], user_windows=[f"x-u{number}"], item_windows=[f"x-i{number}"]
        )
    done = files.online(0, 3 * KEEP - 1)
    assert (done["removed"], done["rows"][USER_SEQUENCE], done["rows"][ITEM_WINDOWS]) == (0, KEEP + 1, TTL + 1)
    assert files.keys("user_id") == {f"x-u{number}" for number in range(2 * KEEP - 1, 3 * KEEP)}
    assert files.keys("item_id") == {f"x-i{number}" for number in range(3 * KEEP - TTL - 1, 3 * KEEP)}


def test_the_wall_clock_has_no_say(files: Files) -> None:
    files.write(0, item_windows=["x-i1"])
    files.online(0)
    with valkey(files.settings) as client:
        assert client.ttl(entity_key(key_prefix("item_id"), "x-i1")) == -1
    assert datetime.now().year > START.year  # noqa: DTZ005 (what is online is of a past year)


@pytest.mark.thorough
def test_a_year_of_users_who_come_once_does_not_grow(files: Files) -> None:
    daily, counts = 20, []
    for number in range(364):
        ids = [f"x-{number}-{user}" for user in range(daily)]
        files.write(number, user_sequence=ids, user_windows=ids, item_windows=ids)
        if number % 7 == 6:
            files.online(number - 6, number)
            counts.append((len(files.keys("user_id")), len(files.keys("item_id"))))
    full = counts[KEEP // 7 + 1 :]
    assert full == [(daily * (KEEP + 1), daily * (TTL + 1))] * len(full) != []
