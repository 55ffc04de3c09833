"""What can go wrong while features are read, computed and written, in words of our own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb
import pyarrow as pa
from ibis.common.exceptions import IbisError

from infra.errors import LakeError, MachineError, PenchantError
from infra.settings import Settings

#: DuckDB says of a full disk now that its share of it is used up, now what the system said.
_FULL = ("max_temp_directory_size", "No space left", "File too large", "Disk quota", "Could not write", "Read-only")

_MEMORY = "Out of Memory Error"


@contextmanager
def explained(settings: Settings) -> Iterator[None]:
    """Errors of DuckDB, Ibis, Arrow and the disk as ours.

    Raises:
        MachineError: memory or disk are not enough, or may not be used.
        LakeError: a file of the lake cannot be read, or holds something else than was expected.
    """
    try:
        yield
    except (ConnectionError, TimeoutError):  # of a server: whoever talks to it says which
        raise
    except (duckdb.Error, IbisError, pa.ArrowException, OSError) as error:
        raise _ours(settings, error) from error


def _ours(settings: Settings, error: Exception) -> PenchantError:
    said = str(error).partition("\n")[0].rstrip(".")
    if _of_the_disk(error):
        mend = "Make room on its disk, mend its rights, or choose another home; nothing of it was kept."
        return MachineError(f"The lake at {settings.lake.root} cannot be written: {said}.", mend)
    if isinstance(error, duckdb.OutOfMemoryException) or _MEMORY in said:
        return MachineError(
            f"{settings.memory_limit} of memory are not enough: {said}.",
            "Raise the setting memory_limit, or lower threads.",
        )
    return LakeError(
        f"Files of the lake at {settings.lake.root} cannot be read: {said}.",
        "Bring the file that it names back from a copy, or build its day again.",
    )


def _of_the_disk(error: Exception) -> bool:
    if isinstance(error, OSError) and error.errno is not None:
        return not isinstance(error, FileNotFoundError)
    # DuckDB's own, which are Arrow's where rows are streamed
    return any(word in str(error) for word in _FULL)
