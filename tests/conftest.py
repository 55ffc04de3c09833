"""Fixtures that every test may use.

``settings``: a Settings with a home of its own that lasts for one test; no server runs and its ports are
free. For everything that needs only files.

``services``: a Settings whose embedded PostgreSQL and Valkey run, databases created and migrated. They are
started once for the whole session and stopped at its end; so tests share them: use keys, users and event
ids of your own. Mark such a test ``integration``. The lake in its home is shared too: write to
``settings.lake``, or to a path of your own.

``database``: the database ``penchant`` of ``services`` with nothing posted and nothing served: for a test that takes
in whatever was posted, or counts what was answered.

``tracked``: ``services`` whose MLflow server runs too. Give each test a registered model of its own.

Nothing here reads the person's own home folder or ``PENCHANT_*`` variables: they are removed first.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import prometheus_client  # noqa: F401 # first: where Feast comes before it, it counts in files
import pytest
from sqlalchemy import Engine, delete

from infra.database import engine
from infra.ports import free_ports
from infra.settings import PORTS, Settings, load_settings
from infra.tables import inbox, served


@pytest.fixture(scope="session", autouse=True)
def _clean_environment() -> Iterator[None]:
    """Tests see the defaults, whatever the shell that runs them has set."""
    kept = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith(("PENCHANT_", "AIRFLOW_"))}
    yield
    os.environ.update(kept)


@pytest.fixture(scope="session")
def make_settings() -> Callable[..., Settings]:
    """Make the Settings of one home folder with ports that are free now; keywords override settings."""

    def make(home: Path, **overrides: Any) -> Settings:
        return load_settings(home, **{**dict(zip(PORTS, free_ports(len(PORTS)), strict=True)), **overrides})

    return make


@pytest.fixture
def settings(tmp_path: Path, make_settings: Callable[..., Settings]) -> Iterator[Settings]:
    """Settings of a home that lasts for this test; no server runs."""
    from infra.quarters import forget

    found = make_settings(tmp_path / "home")
    yield found
    forget(found.home)  # root's servers may have had a folder outside


@pytest.fixture(scope="session")
def short_folder() -> Iterator[Path]:
    """A folder that every user can enter, as pytest's own cannot be; removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="penchant-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def services(short_folder: Path, make_settings: Callable[..., Settings]) -> Iterator[Settings]:
    """Settings whose PostgreSQL and Valkey run, with all databases made and migrated."""
    from infra.database import create_databases, migrate
    from infra.services import start_services, stop_services

    found = make_settings(short_folder / "services")
    try:
        start_services(found)
        create_databases(found)
        migrate(found)
        yield found
    finally:
        stop_services(found)


@pytest.fixture
def database(services: Settings) -> Iterator[Engine]:
    """The database ``penchant`` of ``services``; what was posted and served is forgotten before and after."""
    found = engine(services)
    _forget(found)
    yield found
    _forget(found)
    found.dispose()


def _forget(database: Engine) -> None:
    with database.begin() as connection:
        for table in (inbox, served):
            connection.execute(delete(table))


@pytest.fixture(scope="session")
def tracked(services: Settings) -> Iterator[Settings]:
    """``services`` whose MLflow server runs too."""
    from infra.processes import end_processes
    from infra.stack import start_stack

    try:
        start_stack(services, ["mlflow"])
        yield services
    finally:
        end_processes(services, ["mlflow"])
