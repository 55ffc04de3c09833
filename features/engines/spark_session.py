"""Starts a Spark for one connection, and ends it together with its Java."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import TimeoutExpired
from typing import Any, Final

from pyspark import SparkConf, SparkContext
from pyspark.java_gateway import launch_gateway
from pyspark.sql import SparkSession

from features.engines.spark_errors import explained
from features.engines.spark_home import environment
from features.engines.spark_master import require_answer
from infra.errors import ServiceError, SettingsError
from infra.settings import Settings

_LOG: Final = "spark.log"
_LAST: Final = 10  # seconds until a Java that does not end is killed


@contextmanager
def running(settings: Settings, spill: Path) -> Iterator[SparkSession]:
    """A Spark on ``spark_master`` that keeps everything it writes below ``spill``.

    Raises:
        SettingsError: ``spark_config`` or the home folder cannot be used.
        MachineError: there is no Java that Spark runs on.
        ServiceError: Spark runs in this process already, its master does not answer, or it gave up.
    """
    conf = SparkConf(loadDefaults=False).setAll(list(options(settings, spill).items()))
    if SparkContext._gateway is not None:
        raise ServiceError("Spark runs in this process already.", "End it first, or build in a process of its own.")
    require_answer(settings.spark_master)
    with explained(settings.spark_master, spill / _LOG):
        java = _start(settings, spill, conf)
    try:
        with explained(settings.spark_master, spill / _LOG), _session(conf, java) as session:
            yield session
    finally:
        _end(java)


def options(settings: Settings, spill: Path) -> dict[str, str]:
    """Every option that Spark is started with.

    Raises:
        SettingsError: ``spark_config`` gives one that the features rest on, or Spark would misread the home folder.
    """
    if any(sign in str(spill) for sign in ",:"):
        raise SettingsError(f"Spark takes , and : for the end of a path: {settings.home}.", "Choose another home.")
    ours = {
        "spark.master": settings.spark_master,
        "spark.app.name": "penchant",
        "spark.local.dir": str(spill),
        "spark.sql.warehouse.dir": str(spill / "warehouse"),
        "spark.sql.catalogImplementation": "in-memory",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.ansi.enabled": "true",
        "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    }
    given = {name: _text(value) for name, value in settings.spark_config.items()}
    if taken := sorted(ours.keys() & given.keys()):
        raise SettingsError(f"spark_config gives {', '.join(taken)}.", "Leave it out: the features rest on it.")
    memory = settings.memory_limit.removesuffix("B").lower()
    quiet = {"spark.ui.enabled": "false", "spark.ui.showConsoleProgress": "false"}
    return {**quiet, "spark.driver.memory": memory, **given, **ours}


def _text(value: str | int | bool) -> str:
    return value if isinstance(value, str) else json.dumps(value)  # true, not True


def _start(settings: Settings, spill: Path, conf: SparkConf) -> Any:
    with (spill / _LOG).open("wb") as log, environment(settings, spill):
        return launch_gateway(conf, {"stdout": log, "stderr": log})


def _end(java: Any) -> None:
    """End the Java: it would stay as long as this process, and the next Spark would get it as it is."""
    java.shutdown()
    java.proc.stdin.close()
    try:
        java.proc.wait(_LAST)
    except TimeoutExpired:
        java.proc.kill()
        java.proc.wait()
    SparkContext._gateway = SparkContext._jvm = SparkContext._active_spark_context = None
    SparkSession._instantiatedSession = SparkSession._activeSession = None


@contextmanager
def _session(conf: SparkConf, java: Any) -> Iterator[SparkSession]:
    context = SparkContext(conf=conf, gateway=java)
    try:
        yield SparkSession(context)
    finally:
        if java.proc.poll() is None:
            context.stop()
        else:  # a Java that died can be told nothing
            context._accumulatorServer.shutdown()
