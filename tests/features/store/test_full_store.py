"""An online store that is full, down or slow: words that help, and a watermark that stays where it was."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from features.build import build
from features.store.materialise import WATERMARK, materialise, materialised_through
from infra.errors import FeatureError, ServiceError
from infra.partitions import Span, day_end
from infra.settings import Settings
from infra.valkey import start_valkey, stop_valkey, valkey

pytestmark = pytest.mark.integration

START = date(2011, 1, 3)
SPAN = Span(START, START + timedelta(days=2))
USERS = 300


@pytest.fixture
def shop(
    services: Settings, short_folder: Path, make_settings: Callable[..., Settings], shop_of: Any, event_of: Any
) -> Iterator[Any]:
    """A shop of two days with a Valkey of its own; the registry is the session's."""
    from infra.database import server_url

    url = server_url(services).render_as_string(hide_password=False)
    settings = make_settings(short_folder / "full", window_days=(1, 3), postgres_url=url)
    made = shop_of(settings)
    made.items({"f-i1": "mug"})
    ids = [{"user_id": f"f-u{user}", "item_id": "f-i1", "event_id": f"f-{user}"} for user in range(USERS)]
    made.publish(SPAN, [event_of(settings, START, 1, **given) for given in ids])
    build(settings, SPAN)
    start_valkey(settings)
    yield made
    stop_valkey(settings)
    shutil.rmtree(settings.home, ignore_errors=True)


def test_a_full_store_keeps_the_watermark(shop: Any) -> None:
    settings, first = shop.settings, Span.of_day(START)
    with valkey(settings) as client:
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("maxmemory", client.info("memory")["used_memory"] + 50_000)
        with pytest.raises(ServiceError, match=r"Valkey at 127\.0\.0\.1:\d+ is full: .*maxmemory.*\. Raise Valkey's"):
            materialise(settings, first)
        assert client.get(WATERMARK) is None
        assert client.dbsize() < USERS, "it was full before the end"
        client.config_set("maxmemory", 0)
        materialise(settings, first)
        assert materialised_through(client) == day_end(START + timedelta(days=1), settings.zone)
        assert client.dbsize() > USERS


def test_a_store_that_is_down_is_named(shop: Any) -> None:
    stop_valkey(shop.settings)
    with pytest.raises(ServiceError, match=r"Valkey at 127\.0\.0\.1:\d+ does not answer: .*penchant up"):
        materialise(shop.settings, SPAN)


def test_a_wrong_password_is_named(shop: Any) -> None:
    url = f"redis://:wrong@127.0.0.1:{shop.settings.valkey_port}/0"
    settings = shop.settings.model_copy(update={"valkey_url": type(shop.settings.postgres_url)(url)})
    with pytest.raises(ServiceError, match=r"does not let us in: .*PENCHANT_VALKEY_URL"):
        materialise(settings, SPAN)


def test_a_registry_that_is_down_is_named(shop: Any) -> None:
    url = "postgresql://nobody:x@127.0.0.1:1"
    settings = shop.settings.model_copy(update={"postgres_url": type(shop.settings.postgres_url)(url)})
    with pytest.raises(ServiceError, match=r"PostgreSQL at 127\.0\.0\.1:1 does not let us in"):
        materialise(settings, SPAN)


def test_files_of_other_windows_are_named(shop: Any) -> None:
    settings = shop.settings.model_copy(update={"window_days": (2,)})
    with pytest.raises(FeatureError, match=r"cannot be read: .*_2d.* Build their days again"):
        materialise(settings, SPAN)
    with valkey(settings) as client:
        assert client.get(WATERMARK) is None
