"""The embedded servers, with the real binaries."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import psycopg2
import pytest
import redis
from sqlalchemy import text

from infra.database import engine, server_url
from infra.errors import MachineError, ServiceError
from infra.ports import free_port
from infra.processes import running
from infra.quarters import OUTSIDE, forget, may_enter, server_account
from infra.services import start_services, stop_services
from infra.settings import Settings, load_settings
from infra.valkey import valkey, valkey_answers, valkey_url

pytestmark = pytest.mark.integration

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs servers as another user")


@pytest.fixture
def own(
    short_folder: Path, make_settings: Callable[..., Settings], request: pytest.FixtureRequest
) -> Iterator[Settings]:
    """Settings for servers that this one test starts."""
    found = make_settings(short_folder / request.node.name)
    yield found
    stop_services(found)


def _ask(settings: Settings, question: str) -> object:
    penchant = engine(settings, "postgres")
    try:
        with penchant.connect() as connection:
            return connection.scalar(text(question))
    finally:
        penchant.dispose()


def test_both_answer(services: Settings) -> None:
    assert str(_ask(services, "SHOW server_version")).startswith("18")
    assert _ask(services, "SHOW timezone") == "UTC"
    with valkey(services) as client:
        client.set("test_both_answer", b"1")
        assert client.get("test_both_answer") == b"1"
        assert client.config_get("appendonly") == {"appendonly": "yes"}


def test_starting_twice_keeps_the_first(services: Settings) -> None:
    before = running(services, "postgres"), running(services, "valkey")
    assert start_services(services) == {"postgres": "running", "valkey": "running"}
    assert (running(services, "postgres"), running(services, "valkey")) == before


@pytest.mark.parametrize("password", ["", "wrong"])
def test_a_password_is_needed(services: Settings, password: str) -> None:
    address = server_url(services).set(drivername="postgresql", password=password)
    with pytest.raises(psycopg2.OperationalError, match="password"):
        psycopg2.connect(address.render_as_string(hide_password=False))
    with redis.Redis(port=services.valkey_port, password=password or None) as client, pytest.raises(redis.RedisError):
        client.ping()


def test_no_password_is_among_the_arguments_or_in_a_log(services: Settings) -> None:
    passwords = [path.read_text() for path in (services.home / "secrets").iterdir()]
    shown = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    logs = "".join(path.read_text() for path in (services.home / "logs").iterdir())
    assert not [password for password in passwords if password in shown + logs]


def test_servers_listen_on_this_machine_alone(services: Settings) -> None:
    import psutil

    ports = {services.postgres_port, services.valkey_port}
    found = [one for one in psutil.net_connections("inet") if one.status == "LISTEN" and one.laddr.port in ports]
    assert {one.laddr.ip for one in found} == {"127.0.0.1"}


def test_data_survive_a_stop_and_a_kill(own: Settings) -> None:
    start_services(own)
    _write(own)
    assert stop_services(own) == ["valkey", "postgres"]
    assert not valkey_answers(own)
    assert start_services(own) == {"postgres": "started", "valkey": "started"}
    time.sleep(1.1)  # what the append-only file is allowed to lose
    for name in ("postgres", "valkey"):
        found = running(own, name)
        assert found is not None
        os.kill(found.pid, signal.SIGKILL)
    assert start_services(own) == {"postgres": "started", "valkey": "started"}
    assert _ask(own, "SELECT note FROM kept") == "still here"
    with valkey(own) as client:
        assert client.get("kept") == b"still here"


def _write(settings: Settings) -> None:
    server = engine(settings, "postgres")
    with server.begin() as connection:
        connection.execute(text("CREATE TABLE kept AS SELECT 'still here' AS note"))
    server.dispose()
    with valkey(settings) as client:
        client.set("kept", b"still here")


def test_a_stale_pid_file_of_a_reboot_is_no_obstacle(own: Settings) -> None:
    start_services(own)
    stop_services(own)
    lock = own.home / "postgres" / "postmaster.pid"
    lock.write_text(f"{os.getpid()}\n{own.home / 'postgres'}\n")  # a number that lives, and is not PostgreSQL
    assert start_services(own)["postgres"] == "started"


def test_another_port_moves_the_server(own: Settings) -> None:
    start_services(own)
    moved = own.model_copy(update={"postgres_port": free_port()})
    assert start_services(moved) == {"postgres": "started", "valkey": "running"}
    assert _ask(moved, "SELECT 1") == 1


@pytest.mark.parametrize("name", ["postgres", "valkey"])
def test_a_port_in_use_is_named_with_its_setting(own: Settings, name: str) -> None:
    with socket.create_server(("127.0.0.1", getattr(own, f"{name}_port"))), pytest.raises(MachineError) as refused:
        start_services(own)
    assert str(getattr(own, f"{name}_port")) in refused.value.what
    assert f"PENCHANT_{name.upper()}_PORT" in refused.value.mend


def test_a_full_disk_is_a_clear_message(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1_000_000))
    with pytest.raises(MachineError, match="Only 1 MB are free"):
        start_services(settings)
    assert running(settings, "postgres") is None


def test_servers_that_lost_their_notes_are_replaced(own: Settings) -> None:
    start_services(own)
    for note in (own.home / "run").glob("*.json"):
        note.unlink()
    assert start_services(own) == {"postgres": "started", "valkey": "started"}


def test_a_half_made_data_folder_is_made_anew(own: Settings) -> None:
    aside = own.home / ".postgres.new"
    aside.mkdir(parents=True)
    (aside / "half").touch()
    assert start_services(own)["postgres"] == "started"
    assert not aside.exists()


def test_data_folders_are_their_owners_alone(services: Settings) -> None:
    for name in ("postgres", "valkey"):
        assert stat.S_IMODE((services.home / name).stat().st_mode) == 0o700


def test_a_given_address_is_used_and_nothing_started(services: Settings, settings: Settings) -> None:
    urls = {
        "postgres_url": server_url(services).set(drivername="postgresql").render_as_string(hide_password=False),
        "valkey_url": valkey_url(services),
    }
    elsewhere = load_settings(settings.home, **urls)
    assert start_services(elsewhere) == {"postgres": "external", "valkey": "external"}
    assert stop_services(elsewhere) == []
    assert _ask(elsewhere, "SELECT 1") == 1
    assert not (settings.home / "postgres").exists()


def test_a_given_address_that_does_not_answer_is_an_error(settings: Settings) -> None:
    nowhere = load_settings(settings.home, postgres_url=f"postgresql://a:b@127.0.0.1:{free_port()}")
    with pytest.raises(ServiceError, match="PENCHANT_POSTGRES_URL"):
        start_services(nowhere)


@as_root
def test_root_in_a_folder_that_the_servers_user_cannot_enter(make_settings: Callable[..., Settings]) -> None:
    closed = Path(tempfile.mkdtemp())  # 0700, as /root is
    account = server_account()
    assert account is not None
    assert not may_enter(closed, account)
    own = make_settings(closed / "home")
    try:
        assert start_services(own) == {"postgres": "started", "valkey": "started"}
        assert _ask(own, "SELECT 1") == 1
        folder = Path((own.home / "run" / "outside").read_text().split("\n")[1])
        assert stat.S_IMODE(folder.stat().st_mode) == 0o710
        assert stat.S_IMODE(closed.stat().st_mode) == 0o700
        stop_services(own)
        _forgets_with_the_home(own, folder)
    finally:
        stop_services(own)
        forget(own.home)
    assert not [base for base in OUTSIDE if (base / folder.name).exists()]


def _forgets_with_the_home(own: Settings, folder: Path) -> None:
    """A home that was deleted and made anew finds nothing of its former life outside."""
    identity = (folder / "id").read_text()
    (own.home / "run" / "outside").unlink()
    for name in ("postgres_password", "valkey_password"):
        (own.home / "secrets" / name).unlink()
    assert start_services(own) == {"postgres": "started", "valkey": "started"}
    assert (folder / "id").read_text() != identity
