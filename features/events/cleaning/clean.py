"""Applies the cleaning policy to parsed rows: the view ``cleaned``, and how many values it changes.

Limits are robust: the median and the median absolute deviation (MAD) of log(1 + value), by event type
(Leys et al., 2013, doi:10.1016/j.jesp.2013.03.013); MAD x 1.4826 estimates the standard deviation of a
normal distribution. Of more than half a million rows of a delivery, so many are looked at, evenly spaced.
"""

from __future__ import annotations

from math import expm1
from typing import Final

import duckdb

from features.events.cleaning.bots import BY_BOT, find_bots
from features.events.cleaning.learned import ByType, Learned
from features.events.cleaning.policy import Column, Outliers, Policy
from features.events.cleaning.texts import register, written
from features.events.reading.parsed import PARSED, POSITION, REASONS
from features.events.schema import EVENT_TYPE, IS_BOT, TEXT
from features.events.scratch import text

CLEANED: Final = "cleaned"
REWRITTEN: Final = "rewritten"
_NORMAL: Final = 1.4826
_ENOUGH: Final = 500_000  # rows; the standard error of a median of so many is under a five-hundredth of a deviation
_LARGEST: Final = 43.0  # its exponential fits 64 bits
_VALID: Final = f"{REASONS} IS NULL"


def learn(connection: duckdb.DuckDBPyConnection, policy: Policy, before: Learned) -> Learned:
    """Learn limits and medians from the valid parsed rows.

    Args:
        before: what an earlier delivery learned; holds for event types of which there are too few rows.
    """
    limits, medians = {}, {}
    for name, column in policy.columns.items():
        if column.outliers is not None:
            found = _limits(connection, name, column.outliers)
            limits[name] = dict(sorted({**before.limits.get(name, {}), **found}.items()))
        if column.missing.value == "median":
            found = _medians(connection, name)
            medians[name] = dict(sorted({**before.medians.get(name, {}), **found}.items()))
    return Learned(policy=policy.digest, limits=limits, medians=medians)


def clean(connection: duckdb.DuckDBPyConnection, policy: Policy, learned: Learned) -> None:
    """Make the view ``cleaned``: the parsed rows with values, texts and reasons as the policy wants them.

    What rows say about items stays as it came: it is written anew once an item, not once a row.
    """
    register(connection)
    find_bots(connection, policy.bots)
    replaced = {name: _value(name, column, learned) for name, column in policy.columns.items() if _changes(column)}
    replaced |= {name: written(name, how) for name, how in policy.texts.items() if name == TEXT}
    dropped = [
        f"CASE WHEN {condition} THEN {text(reason)} END" for reason, condition in _dropping(policy, learned).items()
    ]
    if dropped:
        found = f"list_filter([{', '.join(dropped)}], lambda reason: reason IS NOT NULL)"
        replaced[REASONS] = f"CASE WHEN {_VALID} AND len({found}) > 0 THEN {found} ELSE {REASONS} END"
    columns = ", ".join(f"{sql} AS {name}" for name, sql in replaced.items())
    replace = f" REPLACE ({columns})" if columns else ""
    is_bot = f"coalesce({BY_BOT}, false)"
    connection.execute(f"CREATE TEMP VIEW {CLEANED} AS SELECT *{replace}, {is_bot} AS {IS_BOT} FROM {PARSED}")


def changes(
    connection: duckdb.DuckDBPyConnection, policy: Policy, learned: Learned, left_out: str
) -> dict[str, dict[str, int]]:
    """How many values of taken rows the policy changed or flagged: column -> what was done -> rows.

    Args:
        left_out: SQL of the positions of the rows that do not count, the fewer ones.
    """
    counted = _counted(policy, learned)
    wanted = [f"count(*) FILTER ({condition})" for _, _, condition in counted]
    if not wanted:
        return {}
    found = connection.execute(f"SELECT {', '.join(wanted)} FROM {PARSED} ANTI JOIN ({left_out}) USING ({POSITION})")
    result: dict[str, dict[str, int]] = {}
    for (name, done, _), count in zip(counted, found.fetchall()[0], strict=True):
        if count:
            result.setdefault(name, {})[done] = count
    return result


def _counted(policy: Policy, learned: Learned) -> list[tuple[str, str, str]]:
    """Column, what is done, and the condition of the rows of ``parsed`` to which it is done."""
    words = {"keep": "outlier", "clip": "clipped", "clear": "cleared"}
    counted = []
    for name, column in policy.columns.items():
        if column.missing.then == "impute":
            known = f"{_instead(name, column, learned)} IS NOT NULL"
            counted.append((name, "imputed", f"{_is_missing(name, column)} AND {known}"))
        if column.outliers is not None and column.outliers.then in words:
            counted.append((name, words[column.outliers.then], _is_outlier(name, learned)))
    for name, how in policy.texts.items():
        if name == TEXT:
            counted.append((name, REWRITTEN, f"{name} IS DISTINCT FROM {written(name, how)}"))
    counted.append((IS_BOT, "flagged", BY_BOT))
    return counted


def _changes(column: Column) -> bool:
    clips = column.outliers is not None and column.outliers.then in ("clip", "clear")
    return column.missing.then == "impute" or clips


def _value(name: str, column: Column, learned: Learned) -> str:
    value = name
    if column.outliers is not None and column.outliers.then in ("clip", "clear"):
        instead = _by_type(learned.limits.get(name, {})) if column.outliers.then == "clip" else "NULL"
        value = f"CASE WHEN {_is_outlier(name, learned)} THEN {instead} ELSE {name} END"
    if column.missing.then == "impute":
        value = f"CASE WHEN {_is_missing(name, column)} THEN {_instead(name, column, learned)} ELSE {value} END"
    return value


def _instead(name: str, column: Column, learned: Learned) -> str:
    """What is imputed; null for event types whose median nobody knows."""
    median = column.missing.value == "median"
    return _by_type(learned.medians.get(name, {})) if median else str(column.missing.value)


def _dropping(policy: Policy, learned: Learned) -> dict[str, str]:
    """Reasons of the policy's own, and the rows that they are against."""
    missing = {
        f"{name}_missing": _is_missing(name, column)
        for name, column in policy.columns.items()
        if column.missing.then == "drop"
    }
    outliers = {
        f"{name}_outlier": _is_outlier(name, learned)
        for name, column in policy.columns.items()
        if column.outliers is not None and column.outliers.then == "drop"
    }
    return {**missing, **outliers}


def _is_missing(name: str, column: Column) -> str:
    of = ", ".join(map(text, column.missing.of))
    return f"{name} IS NULL" + (f" AND {EVENT_TYPE} IN ({of})" if of else "")


def _is_outlier(name: str, learned: Learned) -> str:
    return f"coalesce({name} > {_by_type(learned.limits.get(name, {}))}, false)"


def _by_type(values: ByType) -> str:
    cases = " ".join(f"WHEN {text(kind)} THEN {value}" for kind, value in values.items())
    return f"CASE {EVENT_TYPE} {cases} END" if cases else "NULL"


def _limits(connection: duckdb.DuckDBPyConnection, name: str, outliers: Outliers) -> dict[str, float]:
    found = connection.execute(f"""
        SELECT {EVENT_TYPE}, median(ln(1.0 + {name}::DOUBLE)), mad(ln(1.0 + {name}::DOUBLE)) FROM {PARSED}
        WHERE {_VALID} AND {name} > 0 AND {_some(connection)} GROUP BY {EVENT_TYPE} HAVING count(*) >= {outliers.rows}
    """).fetchall()
    return {
        kind: int(expm1(min(middle + outliers.deviations * max(_NORMAL * mad, outliers.spread), _LARGEST)))
        for kind, middle, mad in found
    }


def _medians(connection: duckdb.DuckDBPyConnection, name: str) -> dict[str, float]:
    found = connection.execute(f"""
        SELECT {EVENT_TYPE}, quantile_disc({name}, 0.5) FROM {PARSED}
        WHERE {_VALID} AND {name} IS NOT NULL AND {_some(connection)} GROUP BY {EVENT_TYPE}
    """).fetchall()
    return dict(found)


def _some(connection: duckdb.DuckDBPyConnection) -> str:
    """SQL condition of rows evenly spaced: a median holds all its values in memory, and needs no more of them."""
    rows = connection.execute(f"SELECT count(*) FROM {PARSED}").fetchall()[0][0]
    return f"{POSITION} % {-(-rows // _ENOUGH) or 1} = 0"
