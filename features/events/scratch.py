"""A DuckDB of one delivery's own: bounded in memory, spilling beside what it writes, gone afterwards."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import duckdb

from features.events.schema import ADDED
from infra.errors import MachineError
from infra.settings import Settings

_NAME: Final = "scratch.duckdb"
#: SQL for the day in a file's name or in that of its folder, the innermost; null where there is none.
DAY_OF_FILE: Final = r"TRY_CAST(regexp_extract(filename, '.*dt=(\d+-\d+-\d+)', 1) AS DATE)"

# Text as it was read becomes a value, or null where it cannot.
_MACROS: Final = (
    # a trim of named characters is slow, so only cells that hold a tab or a line's end pay for it
    (
        r"clean(x) AS nullif(CASE WHEN contains(x, chr(9)) OR contains(x, chr(10)) OR contains(x, chr(13)) "
        r"THEN trim(x, chr(9) || chr(10) || chr(13) || ' ') ELSE trim(x) END, '')"
    ),
    # what writers say for nothing is no id; spreadsheets and pandas make floats of ids with gaps: 13085.0 is 13085
    (
        r"identifier(x) AS CASE WHEN lower(x) IN ('nan', 'null', 'none', '\n') THEN NULL "
        r"WHEN regexp_full_match(x, '\d+\.0+') THEN split_part(x, '.', 1) ELSE x END"
    ),
    # a cast alone would round 2.5 to a whole number, and take 0x10 for one
    r"whole(x) AS TRY_CAST(CASE WHEN regexp_full_match(x, '[+-]?\d+(\.0*)?') THEN split_part(x, '.', 1) END AS BIGINT)",
    r"number(x) AS CASE WHEN isfinite(TRY_CAST(x AS DOUBLE)) THEN TRY_CAST(x AS DOUBLE) END",
    # of 1970 in s, ms, µs or ns; each has a range of its own between 1973 and 2286
    (
        "epoch(n) AS make_timestamptz(CASE WHEN n BETWEEN 100000000 AND 9999999999 THEN n * 1000000 "
        "WHEN n BETWEEN 100000000000 AND 9999999999999 THEN n * 1000 "
        "WHEN n BETWEEN 100000000000000 AND 9999999999999999 THEN n "
        "WHEN n BETWEEN 100000000000000000 AND 9223372036854775807 THEN n // 1000 END)"
    ),
    # a time without an offset is the shop's own; no zone is 16 hours from Greenwich, or minutes beyond 59,
    # and a short name such as IST or BST is that of several zones
    (
        r"moment(x) AS CASE WHEN (length(x) > 19 OR contains(x, '+')) "
        r"AND (regexp_matches(x, ':.*[+-](1[6-9]|[2-9]\d|\d\d:?[6-9]\d)') "
        r"OR regexp_matches(x, ':.*\d *[A-Za-z]+$') AND NOT regexp_matches(x, '(Z|UTC|GMT)$', 'i')) THEN NULL "
        "WHEN isfinite(TRY_CAST(x AS TIMESTAMPTZ)) THEN TRY_CAST(x AS TIMESTAMPTZ) ELSE epoch(whole(x)) END"
    ),
    # levels of categories, root first: "A > B", or as JSON a list, or several lists, of which the first counts;
    # pandas writes a list as Python does
    (
        "path(x) AS CASE WHEN starts_with(x, '[') THEN array_to_string(coalesce(TRY_CAST(TRY_CAST(x AS JSON) "
        "AS VARCHAR[][])[1], TRY_CAST(TRY_CAST(x AS JSON) AS VARCHAR[]), "
        "TRY_CAST(TRY_CAST(replace(x, '''', '\"') AS JSON) AS VARCHAR[])), ' > ') ELSE x END"
    ),
    (
        "unescaped(x) AS replace(replace(replace(replace(replace(x, '&lt;', '<'), '&gt;', '>'), '&quot;', '\"'), "
        "'&#39;', ''''), '&amp;', '&')"
    ),
    # what is no amount, or too large for one, stays text that no cast takes for a number of pence
    r"minor(x) AS coalesce(CAST(CAST(round(TRY_CAST(x AS DECIMAL(15, 6)) * 100) AS BIGINT) AS VARCHAR), '?' || x)",
)


@contextmanager
def scratch(settings: Settings, folder: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a DuckDB whose files lie in ``folder`` and are removed at the end; naive times are the shop's.

    Raises:
        MachineError: the work inside needs more memory than the settings allow.
    """
    path, spill = folder / _NAME, folder / f"{_NAME}.tmp"
    config: dict[str, Any] = {
        "memory_limit": settings.ingest_memory,
        "threads": settings.threads,
        "temp_directory": str(spill),
        "autoinstall_known_extensions": False,
    }
    connection = duckdb.connect(str(path), config=config)
    try:
        connection.execute(f"SET TimeZone = {text(settings.timezone)}")
        for macro in _MACROS:
            connection.execute(f"CREATE OR REPLACE TEMP MACRO {macro}")
        yield connection
    except duckdb.OutOfMemoryException as error:
        raise MachineError(
            f"{settings.ingest_memory} of memory are not enough: {str(error).splitlines()[0]}",
            "Raise the setting ingest_memory, or lower threads.",
        ) from error
    finally:
        connection.close()
        path.unlink(missing_ok=True)
        shutil.rmtree(spill, ignore_errors=True)


def text(value: object) -> str:
    """A value as an SQL text literal; a path so that DuckDB takes it for that file alone, not for a pattern."""
    said = re.sub(r"[*?[]", r"[\g<0>]", str(value)) if isinstance(value, Path) else str(value)
    return "'" + said.replace("'", "''") + "'"


def name(value: str) -> str:
    """A name as a quoted SQL identifier."""
    return '"' + value.replace('"', '""') + '"'


def read_parquet(files: Iterable[Path], name_as: str = "") -> str:
    """SQL that reads files; a folder of theirs that is called ``name=value`` gives no column.

    Args:
        name_as: a column for the name of each row's file.
    """
    named = f", filename = '{name_as}'" if name_as else ""
    return f"read_parquet({listing(list(files))}, hive_partitioning = false{named})"


def read_events(files: Iterable[Path], name_as: str = "") -> str:
    """``read_parquet`` of files of events; those of earlier versions lack columns, which are null then."""
    added = ", ".join(f"CAST(NULL AS VARCHAR) AS {column}" for column in ADDED)
    held = read_parquet(files, name_as).removesuffix(")") + ", union_by_name = true)"
    return f"(SELECT {added} WHERE false UNION ALL BY NAME SELECT * FROM {held})"


def listing(values: list[Any]) -> str:
    """Values as an SQL list of texts."""
    return "[" + ", ".join(text(value) for value in values) + "]"
