"""Passwords and keys that the platform makes for itself, kept under ``<home>/secrets``.

One file a secret, made once and never changed; only its owner can read it. Nothing here is logged.
"""

from __future__ import annotations

import os
import re
import secrets as randomness
from pathlib import Path

from infra.errors import MachineError
from infra.settings import Settings


def secret(settings_or_home: Settings | Path, name: str, size: int = 32) -> str:
    """The secret called ``name``: letters, digits, ``-`` and ``_``, safe in a URL.

    Args:
        settings_or_home: whose secret it is.
        name: lower-case letters, digits and ``_``.
        size: random bytes in a secret that is made now; 32 give 43 characters.

    Raises:
        MachineError: the secret cannot be read or written.
    """
    path = secret_path(settings_or_home, name)
    try:
        if not path.exists():
            _make(path, size)
        return path.read_text(encoding="ascii")
    except OSError as error:
        raise MachineError(f"The secret {path} cannot be used: {error.strerror}.", "Mend its permissions.") from error


def secret_path(settings_or_home: Settings | Path, name: str) -> Path:
    """Where the secret lies, for a person to look it up."""
    home = settings_or_home if isinstance(settings_or_home, Path) else settings_or_home.home
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise ValueError(f"not a name of a secret: {name!r}")
    return home / "secrets" / name


def _make(path: Path, size: int) -> None:
    """Write it whole under another name, then link: of two that make it at once, the first wins."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.parent.chmod(0o700)
    aside = path.with_name(f".{path.name}.{os.getpid()}.{randomness.token_hex(4)}")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(randomness.token_urlsafe(size))
            file.flush()
            os.fsync(file.fileno())
        _link(aside, path)
    finally:
        aside.unlink()


def _link(aside: Path, path: Path) -> None:
    try:
        os.link(aside, path)
    except FileExistsError:
        return  # another process was first: its secret holds
