from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from infra.errors import MachineError
from infra.secrets import secret, secret_path
from infra.settings import Settings


def test_a_secret_is_made_once_and_kept(settings: Settings) -> None:
    first = secret(settings, "some_password")
    assert secret(settings, "some_password") == secret(settings.home, "some_password") == first
    assert secret(settings, "other_password") != first
    assert len(first) == 43


def test_only_its_owner_can_read_it(settings: Settings) -> None:
    secret(settings, "some_password")
    path = secret_path(settings, "some_password")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [one.name for one in path.parent.iterdir()] == ["some_password"]


def test_all_who_make_it_at_once_get_the_same(settings: Settings) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(lambda _: secret(settings, "raced"), range(32)))) == 1


@pytest.mark.parametrize("name", ["", "../up", "Upper", "a/b", ".hidden"])
def test_a_name_cannot_lead_elsewhere(settings: Settings, name: str) -> None:
    with pytest.raises(ValueError, match="not a name"):
        secret(settings, name)


def test_a_folder_in_the_way_is_a_clear_message(tmp_path: Path) -> None:
    (tmp_path / "secrets").write_text("a file")
    with pytest.raises(MachineError, match="secrets"):
        secret(tmp_path, "some_password")
