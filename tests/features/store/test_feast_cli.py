"""Feast's own command line on the platform's store: what people know of Feast works, and breaks nothing of ours."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import httpx
import pytest

from features.build import build
from features.store import repository
from features.store.configuration import feast_environment
from features.store.keys import PROJECT
from features.store.lookup import Lookup
from features.store.materialise import materialise
from features.view import OWNER
from features.views import views_of
from features.window_views import USER_WINDOWS
from infra.children import child_environment
from infra.partitions import Span, day_end

pytestmark = pytest.mark.integration

START = date(2011, 1, 3)

Feast = Callable[..., subprocess.CompletedProcess[str]]


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "infra.cli.main", "feast", *arguments]


@pytest.fixture
def feast(store: Any) -> Feast:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            command(*arguments), env=child_environment(store.settings), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    return run


def intervals(store: Any) -> dict[str, Any]:
    feast = repository.open_store(store.settings)
    views = [feast.get_feature_view(view.name) for view in views_of(store.settings)]
    return {view.name: list(view.materialization_intervals) for view in views}


def test_its_configuration_is_the_stores_own(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = repository.open_store(store.settings).config.model_dump(exclude={"repo_path"})
    for name, value in feast_environment(store.settings).items():
        monkeypatch.setenv(name, value)
    from feast.repo_config import load_repo_config  # the store sees to what importing Feast does to the process

    folder = repository.FEATURE_REPOSITORY
    found = load_repo_config(folder, folder / "feature_store.yaml")
    assert found.model_dump(exclude={"repo_path"}) == expected


def test_views_are_listed_and_apply_keeps_what_was_materialised(store: Any, feast: Feast) -> None:
    listed = feast("feature-views", "list").stdout
    assert all(view.name in listed for view in views_of(store.settings))
    before = intervals(store)
    assert all(before.values())
    done = feast("apply")
    assert "WARNING" not in done.stderr
    assert intervals(store) == before


def test_an_end_in_the_future_does_not_break_the_next_run(store: Any, feast: Feast) -> None:
    feast("materialize-incremental", "2999-01-01T00:00:00")
    assert all(found[-1][1].year == 2999 for found in intervals(store).values())
    last = Span.of_day(START + timedelta(days=7))
    build(store.settings, last)
    assert materialise(store.settings, last)["through"] == day_end(last.start, store.settings.zone).isoformat()
    now = store.settings.shop_clock().now()
    ends = [max(end for _, end in found) for found in intervals(store).values()]
    assert max(ends) <= now, "Feast's own next increment begins there"
    moment = day_end(last.start, store.settings.zone)
    assert Lookup(store.settings).user("st-u1", moment)["sequence_types"][-1] == "favorite"
    # Feast's own second increment: it begins where ours ended, and not in the year 2999
    repository.open_store(store.settings).materialize_incremental(now + timedelta(hours=1))
    for name, found in intervals(store).items():
        assert found[-1] == (max(end for _, end in found[:-1]), now + timedelta(hours=1)), name
        assert found[-1][0] <= now, name
    assert Lookup(store.settings).user("st-u1", moment)["sequence_types"][-1] == "favorite"


def test_the_page_of_the_store_answers(store: Any) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    arguments = command("ui", "--host", "127.0.0.1", "--port", str(port))
    with subprocess.Popen(arguments, env=child_environment(store.settings), stdout=subprocess.DEVNULL) as page:
        try:
            found = eventually(f"http://127.0.0.1:{port}/projects-list.json")
            listed = eventually(f"http://127.0.0.1:{port}/api/v1/feature_views?project={PROJECT}")
        finally:
            page.send_signal(signal.SIGTERM)
    assert [project["id"] for project in found["projects"]] == [PROJECT]
    views = {view["spec"]["name"]: view["spec"] for view in listed["featureViews"]}
    assert views.keys() >= {view.name for view in views_of(store.settings)}
    assert views[USER_WINDOWS]["owner"] == OWNER


def eventually(address: str, seconds: float = 60.0) -> Any:
    deadline = time.monotonic() + seconds
    while True:
        try:
            return httpx.get(address, trust_env=False).raise_for_status().json()
        except httpx.HTTPError:
            assert time.monotonic() < deadline, f"{address} did not answer"
            time.sleep(0.2)
