"""How texts are written: Unicode, case, spaces, and words of Chinese, as SQL over a column."""

from __future__ import annotations

from importlib import import_module
from typing import Final

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from features.events.cleaning.policy import SEGMENTER, Text

# also the spaces of Unicode that \s leaves out
_SPACES: Final = r"[\s\x{00a0}\x{2000}-\x{200b}\x{202f}\x{3000}\x{feff}]+"


def register(connection: duckdb.DuckDBPyConnection) -> None:
    """Add the functions that ``written`` calls; once a connection, since looking for them costs more."""
    for name, function in (("nfkd", _nfkd), ("segmented", _segmented)):
        connection.create_function(name, function, ["VARCHAR"], "VARCHAR", type="arrow")


def written(column: str, how: Text) -> str:
    """SQL for ``column`` written as ``how`` says; a text that becomes empty by it is null."""
    value = column
    if how.unicode == "NFC":
        value = f"nfc_normalize({value})"
    if how.unicode == "NFKC":
        # plain ASCII is what it is, and most text is that
        value = f"CASE WHEN strlen({value}) = length({value}) THEN {value} ELSE nfc_normalize(nfkd({value})) END"
    if how.case == "lower":
        value = f"lower({value})"
    if how.segment:
        value = f"CASE WHEN regexp_matches({value}, '\\p{{Han}}') THEN segmented({value}) ELSE {value} END"
    if how.spaces == "collapse":
        value = f"nullif(trim(regexp_replace({value}, '{_SPACES}', ' ', 'g')), '')"
    return value


def _nfkd(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    # Arrow decomposes and never composes, whatever the form is called
    return pc.utf8_normalize(texts, form="NFKD")


def _segmented(texts: pa.ChunkedArray) -> pa.Array:
    segmenter = import_module(SEGMENTER)
    return pa.array([" ".join(segmenter.cut(value, True)) for value in texts.to_pylist()], pa.string())
