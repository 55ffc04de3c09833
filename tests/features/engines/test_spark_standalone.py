"""A master and a worker of Spark's own, in processes of their own: what is built there is what one machine builds."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import psutil
import pytest

from features.behaviour import behaviour
from features.engine import connect
from features.engines.spark_home import variables
from features.item_history import item_versions
from features.tiles import TILES
from infra.partitions import Span
from infra.ports import free_port
from infra.settings import Settings

pytestmark = [pytest.mark.thorough, pytest.mark.timeout(300)]

DAY = date(2010, 3, 1)
QUICK = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
LOCAL: dict[str, Any] = {
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.sql.shuffle.partitions": 2,
    "spark.executor.memory": "512m",
    "spark.driver.extraJavaOptions": QUICK,
    "spark.executor.extraJavaOptions": QUICK,
}


@contextmanager
def started(spill: Path, environment: dict[str, str], *command: str) -> Iterator[Path]:
    """A process of Spark's and its log; it ends with all that it began."""
    log = spill / f"{command[0].rpartition('.')[2]}.log"
    run = [str(Path(environment["SPARK_HOME"]) / "bin" / "spark-class"), *command]
    with log.open("wb") as said, subprocess.Popen(run, stdout=said, stderr=said, env=environment, cwd=spill) as process:
        try:
            yield log
        finally:
            own = psutil.Process(process.pid)
            family = [*own.children(recursive=True), own]
            for one in family:
                one.terminate()
            for one in psutil.wait_procs(family, timeout=20)[1]:
                one.kill()


def until(log: Path, said: str) -> None:
    deadline = time.monotonic() + 60
    while said not in log.read_text(errors="replace"):
        assert time.monotonic() < deadline, log.read_text(errors="replace")[-2000:]
        time.sleep(0.1)


@pytest.fixture
def cluster(tmp_path: Path, make_settings: Callable[..., Settings]) -> Iterator[Settings]:
    """The settings of a shop whose Spark is a cluster of one worker with one core."""
    port, spill = free_port(), tmp_path / "cluster"
    spill.mkdir()
    master = f"spark://127.0.0.1:{port}"
    settings = make_settings(
        tmp_path / "home", engine="spark", spark_master=master, spark_config=LOCAL, memory_limit="1GB"
    )
    environment = {**os.environ, **variables(settings, spill), "SPARK_LOCAL_IP": "127.0.0.1"}
    at = ("--host", "127.0.0.1", "--webui-port", "0")
    room = ("--cores", "1", "--memory", "600m", "--work-dir", str(spill / "work"))
    of_master = ("org.apache.spark.deploy.master.Master", *at, "--port", str(port))
    of_worker = ("org.apache.spark.deploy.worker.Worker", *at, *room, master)
    with started(spill, environment, *of_master) as log:
        until(log, "I have been elected leader")
        with started(spill, environment, *of_worker) as other:
            until(other, "Successfully registered with master")
            yield settings


def tiles_of(settings: Settings, shop_of: Any, event_of: Any) -> bytes:
    """A day's tiles as the engine of the settings writes them."""
    shop, span = shop_of(settings), Span.of_day(DAY)
    shop.items({"i1": "mug", "i2": "tea"})
    kinds = ("view", "view", "cart", "purchase")
    shop.publish(
        span,
        [
            event_of(settings, DAY, place, event_id=f"e{place}", event_type=kind, item_id=f"i{1 + place // 2}", price=3)
            for place, kind in enumerate(kinds)
        ],
    )
    with connect(settings) as connection:
        events = behaviour(connection, settings, span, item_versions(connection, settings))
        assert TILES.write(connection, settings, events, span) == 3
    path: Path = shop.lake.daily(TILES.name, DAY)
    return path.read_bytes()


def test_tiles_of_a_cluster_are_those_of_one_machine(
    cluster: Settings, tmp_path: Path, make_settings: Callable[..., Settings], shop_of: Any, event_of: Any
) -> None:
    """Counted by an executor, and written through the files of the home folder alone."""
    found = tiles_of(cluster, shop_of, event_of)
    assert found == tiles_of(make_settings(tmp_path / "alone"), shop_of, event_of)
    assert [path.name for path in (tmp_path / "cluster" / "work").glob("app-*/*")] == ["0"]
    assert list(cluster.lake.spill.iterdir()) == []
