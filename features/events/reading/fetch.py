"""Where a delivery lies: files, folders, globs, or any URL that fsspec knows, brought here before they are read."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import fsspec

from features.events.reading.relations import DATA_SUFFIXES
from infra.errors import DeliveryError, SettingsError

_SCHEME: Final = "://"
_PATTERN: Final = "*?["
_BLOCK: Final = 1 << 22


@dataclass(frozen=True)
class Brought:
    """Files of a delivery on this machine, by name, and the names of those beside them that are no data."""

    files: tuple[Path, ...]
    ignored: tuple[str, ...]


def bring(places: Sequence[str], folder: Path) -> Brought:
    """Find the files at ``places``, and copy into ``folder`` those that are not on this machine.

    Args:
        places: paths of files or folders (with all that is below them), globs, and URLs of either.
        folder: empty; gets a folder of its own for each place that is a URL.

    Raises:
        DeliveryError: there is nothing at a place, or it cannot be read, or it changed while it was copied.
        SettingsError: a URL needs a library that is not installed.
    """
    files: dict[Path, None] = {}
    ignored: list[str] = []
    for number, place in enumerate(places):
        here = copied(place, folder / str(number)) if _SCHEME in place else _local(place)
        named = Path(place).is_file()  # a file that is asked for by name is told what is wrong with its name
        data = [path for path in here if named or path.name.lower().endswith(DATA_SUFFIXES)]
        if not data:
            seen = f"; there are {', '.join(path.name for path in here[:5])}" if here else ""
            raise DeliveryError(
                f"There is no file of data at {_shown(place)}{seen}.",
                f"Names of files of data end in {', '.join(DATA_SUFFIXES)}.",
            )
        files |= dict.fromkeys(data)
        ignored += [path.name for path in here if path not in data]
    return Brought(tuple(files), tuple(ignored))


def _local(place: str) -> list[Path]:
    if not place:
        raise DeliveryError("A place has no name.", "Name a file, a folder, a glob or a URL.")
    try:
        path = Path(place).expanduser()
    except RuntimeError as error:
        raise DeliveryError(f"{place} cannot be found: {error}", "Write the whole path.") from error
    try:
        if path.is_dir():
            return sorted(found for found in _below(path) if not found.name.startswith((".", "_")))
        if path.exists() or path.is_symlink() or not any(mark in place for mark in _PATTERN):
            path.stat()
            return [path]
        return [Path(found) for found in sorted(fsspec.filesystem("file").glob(str(path)))]
    except OSError as error:
        raise DeliveryError(
            f"{error.filename or place} cannot be read: {error.strerror}.", "Check its path and rights."
        ) from error


def _below(folder: Path) -> list[Path]:
    """All files below, folders that links lead to left out, so that no loop has to be walked."""
    found = []
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            found += _below(entry)
        elif entry.is_file():
            found.append(entry)
    return found


def copied(place: str, folder: Path) -> list[Path]:
    """Copy the file, the folder or the files of a pattern at a URL into ``folder``; their paths there.

    Raises:
        DeliveryError: there is nothing, it cannot be read, or it changed while it was copied.
        SettingsError: the URL needs a library that is not installed.
    """
    with _told(place):
        system, root = fsspec.core.url_to_fs(place)
        targets: dict[Path, str] = {}
        for name in _remote_files(system, root):
            target = folder / _inside(name, root)
            if target in targets or not target.resolve().is_relative_to(folder.resolve()):
                raise DeliveryError(
                    f"{_shown(place)} gives {name}, which has no place of its own here.",
                    "Deliver files under plain names, each once.",
                )
            targets[target] = name
        return [_copy(system, name, target) for target, name in targets.items()]


def _inside(name: str, root: str) -> str:
    """Where below the folder, or below the folders that a pattern begins with, a file lies."""
    if name == root and _SCHEME in name:  # of one address of the web, what is asked of it is no part of the name
        return unquote(urlsplit(name).path).rsplit("/", 1)[-1]
    fixed = re.split(rf"[{re.escape(_PATTERN)}]", root)[0]
    common = fixed.rpartition("/")[0] + "/" if fixed != root else root.rstrip("/") + "/"
    if name.startswith(common):
        return name.removeprefix(common)
    return name.rsplit("/", 1)[-1] if name == root else name.lstrip("/")


def is_there(place: str) -> bool:
    """Whether there is a file or a folder at a URL.

    Raises:
        DeliveryError, SettingsError: nobody can tell.
    """
    with _told(place):
        system, root = fsspec.core.url_to_fs(place)
        return bool(system.exists(root))


@contextmanager
def _told(place: str) -> Iterator[None]:
    """Turn what any file system raises into an error that names the place, and no password."""
    try:
        yield
    except DeliveryError:
        raise
    except ImportError as error:
        scheme = urlsplit(place).scheme
        raise SettingsError(
            f"Reading {_shown(place)} needs a library that is not installed: {error}.",
            "Install it with 'uv sync --extra s3'." if scheme in ("s3", "s3a") else "Install the one it names.",
        ) from error
    except Exception as error:  # every file system has errors of its own
        raise DeliveryError(
            f"{_shown(place)} cannot be read: {type(error).__name__}: {error}.", "Check the address and the rights."
        ) from error


def _remote_files(system: Any, root: str) -> list[str]:
    if any(mark in root for mark in _PATTERN) and not system.exists(root):
        return sorted(name for name in system.glob(root) if system.isfile(name))
    if system.isdir(root):
        return sorted(name for name in system.find(root) if not name.rsplit("/", 1)[-1].startswith("."))
    system.info(root)  # raises where there is nothing
    return [root]


def _copy(system: Any, name: str, target: Path) -> Path:
    before = system.info(name)
    target.parent.mkdir(parents=True, exist_ok=True)
    with system.open(name, "rb") as remote, target.open("wb") as local:
        shutil.copyfileobj(remote, local, _BLOCK)
    system.invalidate_cache()
    after = system.info(name)
    marks = ("size", "ETag", "mtime", "LastModified", "modified")
    whole = after.get("size") in (None, target.stat().st_size)  # a server need not say the size
    if not whole or any(before.get(mark) != after.get(mark) for mark in marks):
        raise DeliveryError(f"{name} changed while it was copied.", "Deliver it under another name when it is whole.")
    return target


def _shown(place: str) -> str:
    """The place without a password, and without a query, which may hold a token."""
    parts = urlsplit(place) if _SCHEME in place else None
    if parts is None:
        return place
    _user, at, host = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"…@{host}" if at else host, query="…" if parts.query else "").geturl()
