"""An online store that is full, down or slow: words that help, and a watermark that stays where it was."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from features.build import build
from features.store.lookup import Lookup
from features.store.materialise import WATERMARK, materialise, materialised_through
from features.store.repository import open_store
from features.window_views import USER_WINDOWS
from infra.errors import FeatureError, LakeError, MachineError, ServiceError
from infra.partitions import Span, day_end
from infra.settings import Settings
from infra.valkey import start_valkey, stop_valkey, valkey

pytestmark = pytest.mark.integration

START = date(2011, 1, 3)
SPAN = Span(START, START + timedelta(days=2))
USERS = 300
#: Bytes, more than a batch on its way and less than the users of a day take.
ROOM = 300_000


@pytest.fixture
def shop(
    services: Settings, short_folder: Path, make_settings: Callable[..., Settings], shop_of: Any, event_of: Any
) -> Iterator[Any]:
    """A shop of two days with a Valkey of its own; the registry is the session's."""
    from infra.database import server_url

    url = server_url(services).render_as_string(hide_password=False)
    settings = make_settings(short_folder / "full", window_days=(1, 3), postgres_url=url, api_timeout_ms=10_000)
    made = shop_of(settings)
    made.items({"f-i1": "mug"})
    made.publish(SPAN, [event_of(settings, day, 1, **given) for day in SPAN.days() for given in visits(day)])
    build(settings, Span.of_day(START))
    start_valkey(settings)
    yield made
    stop_valkey(settings)
    shutil.rmtree(settings.home, ignore_errors=True)


def visits(day: date) -> list[dict[str, str]]:
    """Every day other users."""
    ids = [f"f-{day}-{number}" for number in range(USERS)]
    return [{"user_id": id_, "item_id": "f-i1", "event_id": id_} for id_ in ids]


def test_a_full_store_keeps_the_watermark(shop: Any) -> None:
    settings, second = shop.settings, Span.of_day(START + timedelta(days=1))
    materialise(settings, Span.of_day(START))
    build(settings, second)
    with valkey(settings) as client:
        before, keys = client.get(WATERMARK), client.dbsize()
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("maxmemory", client.info("memory")["used_memory"] + ROOM)
        with pytest.raises(ServiceError, match=r"Valkey at 127\.0\.0\.1:\d+ is full: .*maxmemory.*\. Raise Valkey's"):
            materialise(settings, second)
        assert client.get(WATERMARK) == before
        assert client.dbsize() > keys
        assert not all(windows_of(settings, second.start)), "it was full in the midst of it"
        client.config_set("maxmemory", 0)
        materialise(settings, second)
        assert materialised_through(client) == day_end(second.start, settings.zone)
    assert all(windows_of(settings, second.start))


def test_a_slow_store_is_named_and_nothing_is_announced(shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("features.store.materialise.open_store", lambda settings: open_store(settings, 0.3))
    with valkey(shop.settings) as client:
        client.execute_command("CLIENT", "PAUSE", "60000", "WRITE")
        with pytest.raises(ServiceError, match=r"does not answer in time: .*materialise again: the watermark has not"):
            materialise(shop.settings, Span.of_day(START))
        client.execute_command("CLIENT", "UNPAUSE")
        assert client.get(WATERMARK) is None


def windows_of(settings: Settings, day: date) -> list[bool]:
    """Whether the users of a day have their windows online."""
    users = [visit["user_id"] for visit in visits(day)]
    return Lookup(settings).look_up({"user_id": users}, day_end(day, settings.zone)).rows[USER_WINDOWS].holds


def test_a_machine_without_room_keeps_the_watermark(shop: Any) -> None:
    """Too little memory for the rows, and then no folder to spill into; nothing else of it goes to the disk."""
    settings, second = shop.settings, Span.of_day(START + timedelta(days=1))
    materialise(settings, Span.of_day(START))
    build(settings, second)
    spill = settings.lake.spill
    with valkey(settings) as client:
        before = client.get(WATERMARK)
        with pytest.raises(MachineError, match=r"4MB of memory are not enough: .*Raise the setting memory_limit"):
            materialise(settings.model_copy(update={"memory_limit": "4MB"}), second)
        assert list(spill.iterdir()) == []
        spill.rmdir()
        spill.write_text("in the way")
        with pytest.raises(MachineError, match=r"The lake at .* cannot be written: .*/spill.*Make room on its disk"):
            materialise(settings, second)
        assert client.get(WATERMARK) == before
        spill.unlink()
        materialise(settings, second)
        assert materialised_through(client) == day_end(second.start, settings.zone)
    assert all(windows_of(settings, second.start))


def test_a_store_that_is_down_is_named(shop: Any) -> None:
    stop_valkey(shop.settings)
    with pytest.raises(ServiceError, match=r"Valkey at 127\.0\.0\.1:\d+ does not answer: .*penchant up"):
        materialise(shop.settings, Span.of_day(START))


def test_a_wrong_password_is_named(shop: Any) -> None:
    url = f"redis://:wrong@127.0.0.1:{shop.settings.valkey_port}/0"
    settings = shop.settings.model_copy(update={"valkey_url": type(shop.settings.postgres_url)(url)})
    with pytest.raises(ServiceError, match=r"does not let us in: .*PENCHANT_VALKEY_URL"):
        materialise(settings, Span.of_day(START))


def test_a_registry_that_is_down_is_named(shop: Any) -> None:
    url = "postgresql://nobody:x@127.0.0.1:1"
    settings = shop.settings.model_copy(update={"postgres_url": type(shop.settings.postgres_url)(url)})
    with pytest.raises(ServiceError, match=r"PostgreSQL at 127\.0\.0\.1:1 does not let us in"):
        materialise(settings, Span.of_day(START))


@pytest.mark.parametrize("changed", [{"window_days": (2,)}, {"session_minutes": 5}])
def test_days_of_other_settings_do_not_go_online(shop: Any, changed: dict[str, Any]) -> None:
    """Also where the files have the same columns: their rows would be online under the new version."""
    settings = shop.settings.model_copy(update=changed)
    with pytest.raises(
        FeatureError, match=r"2011-01-03 is built by other .*settings\. Run build_features, or 'penchant"
    ):
        materialise(settings, Span.of_day(START))
    with valkey(settings) as client:
        assert client.get(WATERMARK) is None


def test_a_file_that_is_not_whole_is_named_and_nothing_is_announced(shop: Any) -> None:
    materialise(shop.settings, Span.of_day(START))
    build(shop.settings, Span.of_day(START + timedelta(days=1)))
    path = shop.lake.feature("user_items", START + timedelta(days=1))
    content = path.read_bytes()
    path.write_bytes(content[:100])
    with valkey(shop.settings) as client:
        before = client.get(WATERMARK)
        with pytest.raises(LakeError, match=rf"{path.name} is not whole: .*Delete it: the next build makes its day"):
            materialise(shop.settings, SPAN)
        assert client.get(WATERMARK) == before
        path.write_bytes(content)
        materialise(shop.settings, SPAN)
        assert materialised_through(client) == day_end(START + timedelta(days=1), shop.settings.zone)
