"""``infra/bootstrap.sh``, run in a project of its own with a PATH of its own: nothing is downloaded."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from infra.settings import PROJECT

TOOLS = ("sh", "cat", "cut", "sort", "head", "cksum", "rm", "mkdir", "dirname", "env", "chmod")
CERTIFICATES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")
OLD_PYTHON = '#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.9.2" && exit 0\nexit 1\n'
REAL_PYTHON = f'#!/bin/sh\nexec {sys.executable} "$@"\n'
BARE_PYTHON = f'#!/bin/sh\n[ "$1" = -m ] && exit 1\nexec {sys.executable} "$@"\n'
UV = """#!/bin/sh
[ "$1" = --version ] && echo "uv {version}" && exit 0
echo "$* downloads=$UV_PYTHON_DOWNLOADS" >> {calls}
mkdir -p .venv/bin && printf '#!/bin/sh\\nexec {python} "$@"\\n' > .venv/bin/python && chmod 755 .venv/bin/python
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with the script and the lock file; ``bin`` is the whole PATH."""
    (tmp_path / "infra").mkdir()
    shutil.copy(PROJECT / "infra" / "bootstrap.sh", tmp_path / "infra")
    for name in ("pyproject.toml", "uv.lock"):
        (tmp_path / name).write_text(name)
    (tmp_path / "bin").mkdir()
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found is not None
        (tmp_path / "bin" / tool).symlink_to(found)
    return tmp_path


def _put(project: Path, name: str, text: str, version: str = "0.14.2") -> None:
    path = project / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text.replace("{calls}", str(project / "calls")).replace("{version}", version))
    path.write_text(path.read_text().replace("{python}", sys.executable))
    path.chmod(0o755)


def _run(project: Path, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": str(project / "bin"), "HOME": str(project), **more}
    return subprocess.run(
        ["sh", str(project / "infra" / "bootstrap.sh")], env=environment, capture_output=True, text=True, check=False
    )


def _calls(project: Path) -> list[str]:
    calls = project / "calls"
    return calls.read_text().splitlines() if calls.exists() else []


def test_a_python_too_old_is_a_clear_message(project: Path) -> None:
    _put(project, "bin/python3", OLD_PYTHON)
    done = _run(project)
    assert done.returncode == 1
    assert "needs Python 3.11, 3.12 or 3.13; here is: Python 3.9.2" in done.stderr


def test_a_usable_python_beside_an_old_one_is_found(project: Path) -> None:
    _put(project, "bin/python3", OLD_PYTHON)
    _put(project, "bin/python3.12", REAL_PYTHON)
    _put(project, "bin/uv", UV)
    assert _run(project).returncode == 0
    # where the machine keeps certificates of its own, uv is told to trust them
    certificates = "--system-certs " if any(Path(store).exists() for store in CERTIFICATES) else ""
    assert _calls(project) == [f"sync --locked --quiet {certificates}--python {project}/bin/python3.12 downloads=never"]


def test_packages_are_compiled_at_once_where_python_keeps_nothing(project: Path) -> None:
    _put(project, "bin/python3", REAL_PYTHON)
    _put(project, "bin/uv", UV)
    _run(project, PYTHONDONTWRITEBYTECODE="1")
    assert "--compile-bytecode" in _calls(project)[0]


def test_nothing_is_done_twice_until_the_lock_file_changes(project: Path) -> None:
    _put(project, "bin/python3", REAL_PYTHON)
    _put(project, "bin/uv", UV)
    assert _run(project).stderr.startswith("Installing the locked packages")
    again = _run(project)
    assert (again.returncode, again.stderr, len(_calls(project))) == (0, "", 1)
    (project / "uv.lock").write_text("changed")
    _run(project)
    assert len(_calls(project)) == 2


def test_an_old_uv_is_passed_over(project: Path) -> None:
    _put(project, "bin/python3", REAL_PYTHON)
    _put(project, "bin/uv", UV.replace('echo "$* ', 'echo "old $* '), version="0.4.30")
    _put(project, ".uv/bin/uv", UV)
    assert _run(project).returncode == 0
    assert [call.split()[0] for call in _calls(project)] == ["sync"]


def test_no_way_to_install_uv_is_a_clear_message(project: Path) -> None:
    _put(project, "bin/python3", BARE_PYTHON)
    done = _run(project)
    assert done.returncode == 1
    assert "python3-venv" in done.stderr
    assert not (project / ".uv").exists()


def test_a_failed_sync_is_a_failure_and_is_tried_again(project: Path) -> None:
    _put(project, "bin/python3", REAL_PYTHON)
    _put(project, "bin/uv", '#!/bin/sh\n[ "$1" = --version ] && echo "uv 0.14.2" && exit 0\nexit 2\n')
    for _ in range(2):
        done = _run(project)
        assert done.returncode == 1
        assert "could not be installed" in done.stderr


@pytest.mark.parametrize(
    "target", ["demo", "up", "down", "status", "doctor", "test", "test-fast", "lint", "types", "bench"]
)
def test_every_target_makes_the_environment_ready_first(target: str) -> None:
    make = shutil.which("make")
    if make is None:
        pytest.skip("make is not here")
    shown = subprocess.run([make, "-n", target], cwd=PROJECT, capture_output=True, text=True, check=True, env=_plain())
    assert shown.stdout.splitlines()[0] == "sh infra/bootstrap.sh"


def _plain() -> dict[str, str]:
    """Without what an outer make hands down."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
