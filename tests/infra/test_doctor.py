from __future__ import annotations

import shutil
import socket
import sys
from collections import namedtuple
from pathlib import Path

import pytest

from infra import doctor
from infra.doctor import examine
from infra.settings import Settings, load_settings

Version = namedtuple("Version", "major minor")
Usage = namedtuple("Usage", "total used free")


def _state(settings: Settings, name: str) -> doctor.Check:
    return next(check for check in examine(settings) if check.name == name)


@pytest.mark.integration
def test_this_machine_is_fit(settings: Settings) -> None:
    assert [check for check in examine(settings) if check.state == "fail"] == []


def test_every_check_that_is_not_ok_says_how_to_mend_it(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", Version(3, 9))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10, 10, 0))
    monkeypatch.setattr("platform.system", lambda: "Darwin")
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    found = {check.name: check for check in examine(settings)}
    assert {found[name].state for name in ("python", "disk", "platform", "binaries")} == {"fail"}
    assert found["cores"].state == "warn"
    assert all(check.mend for check in found.values() if check.state != "ok")


def test_apple_silicon_is_untested(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.system", lambda: "Darwin")
    monkeypatch.setattr("platform.machine", lambda: "arm64")
    assert _state(settings, "platform").state == "warn"


def test_a_port_in_use_names_its_setting(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", settings.api_port)):
        check = _state(settings, "api_port")
    assert check.state == "fail"
    assert str(settings.api_port) in check.what
    assert "PENCHANT_API_PORT" in check.mend


def test_a_home_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    check = _state(load_settings(tmp_path / "file" / "home"), "home")
    assert (check.state, check.mend) == ("fail", "Set PENCHANT_HOME to a folder of yours.")
