"""How texts are written: Unicode, case, spaces, and words of Chinese, as SQL over a column."""

from __future__ import annotations

from importlib import import_module
from typing import Final

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from features.events.policy import Text
from infra.errors import SettingsError

# also the spaces of Unicode that \s leaves out
_SPACES: Final = r"[\s\x{00a0}\x{2000}-\x{200b}\x{202f}\x{3000}\x{feff}]+"
_SEGMENTER: Final = "rjieba"


def written(connection: duckdb.DuckDBPyConnection, column: str, how: Text) -> str:
    """SQL for ``column`` written as ``how`` says; what it becomes empty by is null.

    Raises:
        SettingsError: words are to be told apart, and the library is not installed.
    """
    value = column
    if how.unicode == "NFC":
        value = f"nfc_normalize({value})"
    if how.unicode == "NFKC":
        _register(connection, "nfkc", _nfkc)
        # plain ASCII is what it is, and most text is that
        value = f"CASE WHEN strlen({value}) = length({value}) THEN {value} ELSE nfkc({value}) END"
    if how.case == "lower":
        value = f"lower({value})"
    if how.segment:
        _require_segmenter()
        _register(connection, "segmented", _segmented)
        value = f"CASE WHEN regexp_matches({value}, '\\p{{Han}}') THEN segmented({value}) ELSE {value} END"
    if how.spaces == "collapse":
        value = f"nullif(trim(regexp_replace({value}, '{_SPACES}', ' ', 'g')), '')"
    return value


def _register(connection: duckdb.DuckDBPyConnection, name: str, function: object) -> None:
    known = connection.execute("SELECT 1 FROM duckdb_functions() WHERE function_name = ?", [name]).fetchall()
    if not known:
        connection.create_function(name, function, ["VARCHAR"], "VARCHAR", type="arrow")


def _nfkc(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.utf8_normalize(texts, form="NFKC")


def _segmented(texts: pa.ChunkedArray) -> pa.Array:
    segmenter = import_module(_SEGMENTER)
    return pa.array([" ".join(segmenter.cut(value, True)) for value in texts.to_pylist()], pa.string())


def _require_segmenter() -> None:
    try:
        import_module(_SEGMENTER)
    except ImportError as error:
        raise SettingsError(
            f"The cleaning policy segments texts, and the library {_SEGMENTER} is not installed.",
            "Install it with 'uv sync --extra chinese', or set segment to false.",
        ) from error
