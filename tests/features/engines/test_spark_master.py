"""Whether a cluster answers is known before a Java is started."""

from __future__ import annotations

import socket
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from features.build import build
from features.engines.spark_master import addresses, require_answer
from infra.errors import ServiceError, SettingsError
from infra.partitions import Span
from infra.ports import free_port
from infra.settings import Settings


@pytest.mark.parametrize(
    ("master", "expected"),
    [
        ("local[*]", []),
        ("local-cluster[2,1,1024]", []),
        ("yarn", []),
        ("spark://one:7078,other", [("one", 7078), ("other", 7077)]),
        ("k8s://https://host:6443", [("host", 6443)]),
        ("k8s://host", [("host", 443)]),
        ("k8s://http://[::1]", [("::1", 80)]),
    ],
)
def test_where_a_master_is(master: str, expected: list[tuple[str, int]]) -> None:
    assert addresses(master) == expected


@pytest.mark.parametrize("master", ["spark://", "spark://host:port", "spark://one,,two", "k8s://ftp://host"])
def test_an_address_that_cannot_be_read_is_refused(master: str) -> None:
    with pytest.raises(SettingsError, match=r"spark_master .* cannot be read: .*HOST:PORT"):
        require_answer(master)


def test_one_of_two_masters_is_enough() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        require_answer(f"spark://127.0.0.1:{free_port()},127.0.0.1:{server.getsockname()[1]}")


def test_yarn_has_to_be_described(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HADOOP_CONF_DIR", raising=False)
    monkeypatch.delenv("YARN_CONF_DIR", raising=False)
    with pytest.raises(SettingsError, match="HADOOP_CONF_DIR"):
        require_answer("yarn")
    monkeypatch.setenv("YARN_CONF_DIR", "/etc/hadoop")
    require_answer("yarn")


def test_a_master_that_does_not_answer_is_named_and_nothing_is_written(
    tmp_path: Path, make_settings: Callable[..., Settings], shop_of: Any, event_of: Any
) -> None:
    master = f"spark://127.0.0.1:{free_port()}"
    settings = make_settings(tmp_path / "home", engine="spark", spark_master=master)
    shop, span = shop_of(settings), Span.of_day(date(2010, 3, 1))
    shop.publish(span, [event_of(settings, span.start)])
    with pytest.raises(ServiceError, match=f"No Spark master answers at {master}: .*PENCHANT_SPARK_MASTER"):
        build(settings, span)
    assert shop.bytes_of("tiles", "features") == {}
    assert list(settings.lake.spill.iterdir()) == []
