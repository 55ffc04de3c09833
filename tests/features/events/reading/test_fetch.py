"""Where a delivery may lie: files, folders, globs, URLs; and what is said when it is not there, or moves."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from datetime import date
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import fsspec
import pytest

from features.events.arrivals import take_day, take_history
from features.events.by_hand import take_files
from features.events.reading.fetch import bring
from infra.errors import DeliveryError, SettingsError
from infra.partitions import Span
from infra.settings import Settings

LOG = "item_id,event_type,occurred_at\na,view,2010-12-01 10:00:00\n"
NOBODY = 65534


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two logs, one of them deeper, and what is no data."""
    root = tmp_path / "logs"
    (root / "hour=11").mkdir(parents=True)
    (root / "hour=10.csv").write_text(LOG)
    (root / "hour=11" / "part.csv").write_text(LOG.replace("10:00", "11:00"))
    (root / "notes.txt").write_text("by hand")
    (root / "_SUCCESS").write_text("")
    (root / ".part.csv.crc").write_text("")
    return root


@pytest.fixture
def memory(folder: Path) -> Iterator[str]:
    """The same in memory."""
    system = fsspec.filesystem("memory")
    for path in folder.rglob("*"):
        if path.is_file():
            system.pipe_file(f"/bucket/logs/{path.relative_to(folder)}", path.read_bytes())
    yield "memory://bucket/logs"
    system.rm("/bucket", recursive=True)


def names(brought: Any) -> list[str]:
    return [path.name for path in brought.files]


def test_a_folder_with_all_that_is_below(folder: Path, tmp_path: Path) -> None:
    brought = bring([str(folder)], tmp_path / "spool")
    assert (names(brought), brought.ignored) == (["hour=10.csv", "part.csv"], ("notes.txt",))


def test_a_glob(folder: Path, tmp_path: Path) -> None:
    assert names(bring([f"{folder}/**/*.csv"], tmp_path / "spool")) == ["hour=10.csv", "part.csv"]
    assert names(bring([f"{folder}/hour=1?.csv"], tmp_path / "spool")) == ["hour=10.csv"]


def test_a_file_is_taken_once_however_often_it_is_named(folder: Path, tmp_path: Path) -> None:
    path = str(folder / "hour=10.csv")
    assert names(bring([path, path, f"{folder}/hour*.csv"], tmp_path / "spool")) == ["hour=10.csv"]


@pytest.mark.parametrize(
    ("place", "wanted"),
    [("", ["hour=10.csv", "part.csv"]), ("/hour=11/part.csv", ["part.csv"]), ("/*.csv", ["hour=10.csv"])],
)
def test_any_url_that_fsspec_knows(memory: str, tmp_path: Path, place: str, wanted: list[str]) -> None:
    brought = bring([memory + place], tmp_path / "spool")
    assert names(brought) == wanted
    assert all(path.is_relative_to(tmp_path / "spool") for path in brought.files)


def test_a_delivery_from_a_url_is_the_same_delivery(
    memory: str, folder: Path, make_settings: Any, tmp_path: Path
) -> None:
    shop: Settings = make_settings(tmp_path / "home", clock="2010-12-10T00:00:00+00:00")
    remote = take_files(shop, [memory])
    assert (remote.accepted, remote.ignored_files) == (2, ("_SUCCESS", "notes.txt"))
    assert take_files(shop, [str(folder)]).delivery_id == remote.delivery_id
    assert not list(shop.lake.spill.iterdir())


@pytest.mark.parametrize("place", ["gone.csv", "gone/*.csv", "memory://nowhere/at/all.csv", "memory://nowhere/*.csv"])
def test_nothing_there(tmp_path: Path, place: str) -> None:
    where = place if "://" in place else str(tmp_path / place)
    with pytest.raises(DeliveryError, match=r"gone|nowhere"):
        bring([where], tmp_path / "spool")


def test_a_folder_without_data_says_what_there_is(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "notes.txt").write_text("")
    with pytest.raises(DeliveryError, match=r"no file of data at .*logs; there are notes\.txt"):
        bring([str(tmp_path / "logs")], tmp_path / "spool")


def test_a_scheme_that_nobody_knows(tmp_path: Path) -> None:
    with pytest.raises(DeliveryError, match=r"gopher://host/log\.csv cannot be read: ValueError"):
        bring(["gopher://host/log.csv"], tmp_path / "spool")


def test_a_missing_library_is_named_with_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(SettingsError, match=r"s3://bucket/log\.csv needs a library.*uv sync --extra s3"):
        bring(["s3://bucket/log.csv"], tmp_path / "spool")


def test_a_password_in_a_url_is_not_repeated(tmp_path: Path) -> None:
    with pytest.raises(DeliveryError) as refused:
        bring(["gopher://me:secret@host/log.csv"], tmp_path / "spool")
    assert "secret" not in str(refused.value)
    assert "gopher://…@host/log.csv" in str(refused.value)


def test_links_that_lead_in_circles(folder: Path, tmp_path: Path) -> None:
    (folder / "loop").symlink_to(folder, target_is_directory=True)
    assert names(bring([str(folder)], tmp_path / "spool")) == ["hour=10.csv", "part.csv"]
    circle = folder / "circle.csv"
    circle.symlink_to(circle)
    with pytest.raises(DeliveryError, match=r"circle\.csv cannot be read: Too many levels of symbolic links"):
        bring([str(circle)], tmp_path / "spool")


def test_a_folder_that_may_not_be_entered(short_folder: Path, folder: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(folder, short_folder / "logs"))
    short_folder.chmod(0o755)
    (folder / "hour=11").chmod(0)
    root = os.geteuid() == 0
    if root:
        os.seteuid(NOBODY)
    try:
        with pytest.raises(DeliveryError, match="hour=11 cannot be read: Permission denied"):
            bring([str(folder)], tmp_path / "spool")
    finally:
        if root:
            os.seteuid(0)
        (folder / "hour=11").chmod(0o755)


def test_a_file_that_grows_while_it_is_copied(memory: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from features.events.reading import fetch

    def growing(remote: Any, local: Any, size: int) -> None:
        local.write(remote.read())
        fsspec.filesystem("memory").pipe_file("/bucket/logs/hour=10.csv", (LOG * 2).encode())

    monkeypatch.setattr(fetch.shutil, "copyfileobj", growing)
    with pytest.raises(DeliveryError, match=r"hour=10\.csv changed while it was copied"):
        bring([memory + "/hour=10.csv"], tmp_path / "spool")


@pytest.mark.integration
def test_s3(folder: Path, tmp_path: Path, make_settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    try:
        host, port = server.get_host_and_port()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        system = fsspec.filesystem("s3", skip_instance_cache=True)
        system.mkdir("shop")
        for path in ("hour=10.csv", "hour=11/part.csv"):
            system.pipe_file(f"shop/logs/{path}", (folder / path).read_bytes())
        shop = make_settings(tmp_path / "home", clock="2010-12-10T00:00:00+00:00")
        assert take_files(shop, ["s3://shop/logs"]).accepted == 2
        assert names(bring(["s3://shop/logs/*.csv"], tmp_path / "spool")) == ["hour=10.csv"]
        with pytest.raises(DeliveryError, match=r"s3://shop/gone\.csv cannot be read"):
            bring(["s3://shop/gone.csv"], tmp_path / "spool")
    finally:
        server.stop()


def test_a_day_lands_from_a_url_once(memory: str, make_settings: Any, tmp_path: Path, folder: Path) -> None:
    system = fsspec.filesystem("memory")
    system.pipe_file("/bucket/landing/canonical/dt=2010-12-01/a.csv", LOG.encode())
    shop = make_settings(
        tmp_path / "home", clock="2010-12-10T00:00:00+00:00", source="canonical", landing_url="memory://bucket/landing/"
    )
    [manifest] = take_day(shop, "canonical", date(2010, 12, 1))
    assert manifest.accepted == 1
    system.pipe_file("/bucket/landing/canonical/dt=2010-12-01/b.csv", LOG.encode())
    assert take_day(shop, "canonical", date(2010, 12, 1)) == [manifest]
    with pytest.raises(DeliveryError, match="Nothing arrived"):
        take_day(shop, "canonical", date(2010, 12, 2))


def test_a_history_lands_from_a_url(memory: str, make_settings: Any, tmp_path: Path) -> None:
    fsspec.filesystem("memory").pipe_file("/bucket/landing/canonical/history/a.csv", LOG.encode())
    shop = make_settings(tmp_path / "home", clock="2010-12-10T00:00:00+00:00", landing_url="memory://bucket/landing")
    assert take_history(shop, "canonical", Span(date(2010, 12, 1), date(2010, 12, 3))).accepted == 1


def test_a_landing_url_that_cannot_be_read_leaves_nothing(make_settings: Any, tmp_path: Path) -> None:
    shop = make_settings(
        tmp_path / "home", clock="2010-12-10T00:00:00+00:00", landing_url="gopher://me:secret@host/landing"
    )
    with pytest.raises(DeliveryError, match=r"gopher://…@host/landing/canonical/dt=2010-12-01 cannot be read"):
        take_day(shop, "canonical", date(2010, 12, 1))
    assert not shop.lake.root.exists()


def test_files_of_one_name_in_different_folders_of_a_url(tmp_path: Path) -> None:
    system = fsspec.filesystem("memory")
    for hour in (1, 2, 3):
        system.pipe_file(f"/many/hour={hour}/part.csv", LOG.replace("10:00", f"0{hour}:00").encode())
    try:
        for place in ("memory://many/hour=*/part.csv", "memory://many/**/*.csv", "memory://many"):
            brought = bring([place], tmp_path / place.replace("/", "_"))
            assert len({path.read_text() for path in brought.files}) == 3
    finally:
        system.rm("/many", recursive=True)


@pytest.mark.parametrize("name", ["/far/logs/../../../out.csv", "/far/logs/../out.csv"])
def test_a_listing_cannot_lead_out_of_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    from features.events.reading import fetch

    system = fsspec.filesystem("memory")
    system.pipe_file("/far/logs/good.csv", LOG.encode())
    monkeypatch.setattr(fetch, "_remote_files", lambda *_: ["/far/logs/good.csv", name])
    try:
        with pytest.raises(DeliveryError, match="no place of its own"):
            bring(["memory://far/logs"], tmp_path / "spool")
    finally:
        system.rm("/far", recursive=True)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_server_need_not_say_how_large_a_file_is(tmp_path: Path, memory: str) -> None:
    system = fsspec.filesystem("memory")
    info = type(system).info
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(type(system), "info", lambda *asked, **more: {**info(*asked, **more), "size": None})
        assert names(bring([f"{memory}/hour=10.csv"], tmp_path / "spool")) == ["hour=10.csv"]


def test_a_token_in_a_url_is_not_repeated(tmp_path: Path) -> None:
    with pytest.raises(DeliveryError) as refused:
        bring(["memory://nowhere/log.csv?token=secret"], tmp_path / "spool")
    assert "?…" in str(refused.value)


@pytest.mark.parametrize(("place", "said"), [("", "no name"), ("~nobody-of-that-name/log.csv", "cannot be found")])
def test_places_that_are_none(tmp_path: Path, place: str, said: str) -> None:
    with pytest.raises(DeliveryError, match=said):
        bring([place], tmp_path / "spool")


@pytest.mark.thorough
def test_an_address_of_the_web_with_a_token(tmp_path: Path) -> None:
    served = tmp_path / "served"
    served.mkdir()
    (served / "my log.csv").write_text(LOG)
    handler = partial(SimpleHTTPRequestHandler, directory=str(served))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            address = f"http://127.0.0.1:{server.server_port}/my%20log.csv?token=a/b"
            brought = bring([address], tmp_path / "spool")
        finally:
            server.shutdown()
    assert [(path.name, path.read_text()) for path in brought.files] == [("my log.csv", LOG)]
