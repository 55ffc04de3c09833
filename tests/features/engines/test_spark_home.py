"""Which Java is taken, and what Spark is started with."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from features.build import build
from features.engines import spark_home
from features.engines.spark_home import environment, java_home
from infra.errors import MachineError
from infra.partitions import Span
from infra.settings import Settings, load_settings


def _java(folder: Path, release: str) -> Path:
    """A home whose Java says that it is ``release``, and does nothing else."""
    java = folder / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text(f"#!/bin/sh\necho 'openjdk version \"{release}\" 2025-04-15' >&2\n")
    java.chmod(0o755)
    return folder


def _found(monkeypatch: pytest.MonkeyPatch, home: Path | None, on_path: Path | None) -> None:
    """``JAVA_HOME``, and the home of the ``java`` that is found."""
    monkeypatch.delenv("JAVA_HOME", raising=False)
    if home:
        monkeypatch.setenv("JAVA_HOME", str(home))
    monkeypatch.setattr(shutil, "which", lambda _: str(on_path / "bin" / "java") if on_path else None)


def test_java_home_comes_before_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _found(monkeypatch, _java(tmp_path / "one", "17.0.15"), _java(tmp_path / "other", "21.0.8"))
    assert java_home(tmp_path) == tmp_path / "one"


@pytest.mark.parametrize("release", ["1.8.0_402", "11.0.20", "24", "25.0.2"])
def test_a_java_that_spark_does_not_run_on_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, release: str
) -> None:
    _found(monkeypatch, _java(tmp_path / "one", release), _java(tmp_path / "other", "21.0.8"))
    assert java_home(tmp_path) == tmp_path / "other"


def test_without_a_java_that_of_the_package_runs_all_but_the_module_it_has_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _found(monkeypatch, None, None)
    java = java_home(tmp_path / "a 'folder'") / "bin" / "java"
    asked = [java, "--add-modules=jdk.incubator.vector", "-version"]
    said = subprocess.run(asked, capture_output=True, text=True, check=True)
    assert 'version "21.' in said.stderr


def test_without_any_java_the_message_names_what_was_seen_and_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _found(monkeypatch, _java(tmp_path / "old", "11.0.20"), None)
    monkeypatch.setattr(spark_home, "find_spec", lambda _: None)
    with pytest.raises(MachineError, match=r"17 to 23; .*old/bin/java is Java 11\..*--extra spark"):
        java_home(tmp_path)


def test_the_environment_is_as_before_afterwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _found(monkeypatch, _java(tmp_path / "one", "17.0.15"), None)
    monkeypatch.delenv("SPARK_HOME", raising=False)
    monkeypatch.setenv("SPARK_LOCAL_IP", "127.0.0.9")
    before = dict(os.environ)
    with environment(load_settings(tmp_path, spark_master="local[1]"), tmp_path):
        assert os.environ["SPARK_LOCAL_IP"] == "127.0.0.9"
        assert Path(os.environ["SPARK_HOME"], "bin", "spark-submit").exists()
        assert Path(os.environ["SPARK_HOME"]).parent == tmp_path
    assert dict(os.environ) == before


def test_a_spark_that_the_machine_names_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _found(monkeypatch, _java(tmp_path / "one", "17.0.15"), None)
    monkeypatch.setenv("SPARK_HOME", "/opt/spark")
    with environment(load_settings(tmp_path, spark_master="yarn"), tmp_path):
        assert os.environ["SPARK_HOME"] == "/opt/spark"
        assert "SPARK_LOCAL_IP" not in os.environ
    assert os.environ["SPARK_HOME"] == "/opt/spark"


def test_a_build_without_java_leaves_what_was_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_settings: Callable[..., Settings], shop_of: Any, event_of: Any
) -> None:
    settings = make_settings(tmp_path / "home", window_days=(1,), half_life_days=(7,))
    shop, span = shop_of(settings), Span.of_day(date(2012, 2, 29))
    shop.publish(span, [event_of(settings, span.start)])
    build(settings, span)
    before = shop.bytes_of("tiles", "features")
    _found(monkeypatch, None, None)
    monkeypatch.setattr(spark_home, "find_spec", lambda _: None)
    with pytest.raises(MachineError, match=r"Spark runs on Java 17 to 23; there is none here\. .*--extra spark"):
        build(settings.model_copy(update={"engine": "spark"}), span)
    assert shop.bytes_of("tiles", "features") == before
    assert list(settings.lake.spill.iterdir()) == []
