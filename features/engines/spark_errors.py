"""What Spark says when it fails: a sentence, not Java's stack."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import shorten
from typing import Final

from py4j.protocol import Py4JError, Py4JJavaError
from pyspark.errors import PySparkException

from infra.errors import ServiceError

_CHAT: Final = re.compile(" WARN | INFO |^(Using Spark's default|Setting default|To adjust logging)")
_SHOWN: Final = 400  # characters


@contextmanager
def explained(master: str, log: Path) -> Iterator[None]:
    """Spark's errors as ours, with the first that it logged: those that follow say only that it stopped.

    Raises:
        ServiceError: Spark on ``master``, whose log is the file ``log``, failed.
    """
    try:
        yield
    except (Py4JError, PySparkException, ConnectionRefusedError) as error:
        raise ServiceError(
            f"Spark on {master} gave up: {_said(error)} Its log says: {_logged(log)}.",
            "Mend spark_master, spark_config or memory_limit, or what the message names.",
        ) from error


def _said(error: Exception) -> str:
    """What happened, without Java's stack."""
    if isinstance(error, ConnectionRefusedError):
        return "its Java has ended."
    whole = error.java_exception.toString() if isinstance(error, Py4JJavaError) else str(error)
    return _short(str(whole).partition("JVM stacktrace:")[0])


def _logged(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines()
    errors = [line for line in lines if " ERROR " in line][:1]
    told = [line for line in lines if not _CHAT.search(line)][-2:]
    return _short(" ".join(errors or told)) or "nothing"


def _short(text: str) -> str:
    return shorten(text, _SHOWN, placeholder=" …")
