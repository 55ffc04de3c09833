"""Files of the lake, looked at before they are read: there, whole, and with the columns that readers take."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from features.events.schema import ADDED
from infra.errors import LakeError
from infra.lake import DAILY

_AGAIN: Final = "Delete it: the next build makes its day again, and those after it."
_OTHERS: Final = "It was made by other definitions: build its days again, from the first."
_DELIVERED: Final = "Bring it back from a copy, or ingest its delivery again."
_ELSEWHERE: Final = "Delete it: the states are found in the files of the days then."

#: By folder of the lake, what is to be done about a damaged file, and about one of another layout.
_MENDS: Final = {
    "events": (_DELIVERED, _DELIVERED),
    "items": (_DELIVERED, _DELIVERED),
    **dict.fromkeys(DAILY, (_AGAIN, _OTHERS)),
    "features": (_AGAIN, _OTHERS),
    "checkpoints": (_ELSEWHERE, _ELSEWHERE),
}


def whole(files: Iterable[Path], schema: pa.Schema) -> list[str]:
    """The names of ``files``, of which each has the columns of ``schema`` (``ADDED`` ones apart); others do not
    matter.

    Raises:
        LakeError: one is gone, cut off, or has a column less or of another type.
    """
    return [_whole(path, schema) for path in files]


def _whole(path: Path, schema: pa.Schema) -> str:
    damaged, otherwise = _mends(path)
    try:
        found = pq.read_schema(path)
    except FileNotFoundError as error:
        raise LakeError(f"{path} is gone.", damaged) from error
    except (pa.ArrowException, OSError) as error:
        said = str(error).partition("\n")[0].rstrip(".")
        raise LakeError(f"{path} is not whole: {said}.", damaged) from error
    if missing := [name for name in schema.names if name not in found.names and name not in ADDED]:
        raise LakeError(f"{path} has no column {', '.join(missing)}.", otherwise)
    for field in (field for field in schema if field.name in found.names):
        if found.field(field.name).type != field.type:
            raise LakeError(f"{path}: {field.name} is {found.field(field.name).type}, not {field.type}.", otherwise)
    return str(path)


def _mends(path: Path) -> tuple[str, str]:
    folder = path.parent.parent.name if path.parent.parent.name in _MENDS else path.parent.name
    return _MENDS.get(folder, (_DELIVERED, _DELIVERED))
