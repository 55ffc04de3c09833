"""User states under the names of the feature views: by column, as a table, and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
import pyarrow as pa

from features.rhythm import Rhythm
from features.state import UserState, from_row
from features.view import View
from features.views import interest_column, profile_column, views
from features.window_views import WINDOW_BEHAVIOURS

_ARROW: Final = {
    "int64": pa.int64(),
    "float64": pa.float64(),
    "list<string>": pa.list_(pa.string()),
    "list<int64>": pa.list_(pa.int64()),
    "list<float64>": pa.list_(pa.float64()),
}


def user_views(window_days: tuple[int, ...], half_life_days: tuple[int, ...]) -> list[View]:
    """The views that make up a state."""
    return [view for view in views(window_days, half_life_days) if view.entity == "user_id"]


def today_column(behaviour: str) -> str:
    return f"today_{behaviour}"


def state_schema(window_days: tuple[int, ...], half_life_days: tuple[int, ...]) -> pa.Schema:
    """One column per feature of the user views, and today's count per behaviour."""
    known = [feature for view in user_views(window_days, half_life_days) for feature in view.features]
    columns = [pa.field(feature.name, _ARROW[feature.kind]) for feature in known]
    return pa.schema([*columns, *(pa.field(today_column(name), pa.int64()) for name in WINDOW_BEHAVIOURS)])


def columns_of(state: UserState) -> dict[str, Any]:
    """What a state holds, by column of ``state_schema``."""
    sequence, history, interest = state.sequence, state.history, state.interest
    strengths = zip(state.half_life_days, interest.strengths.T, strict=True)
    profiles = [(days, interest.profile(place)) for place, days in enumerate(state.half_life_days)]
    return {
        **state.windows,
        "interest_categories": interest.categories,
        **{interest_column(days): values for days, values in strengths},
        "interest_first_us": interest.first_us,
        "interest_last_us": interest.last_us,
        "interest_as_of_us": interest.as_of_us,
        **{profile_column("categories", days): names for days, (names, _shares) in profiles},
        **{profile_column("shares", days): shares for days, (_names, shares) in profiles},
        "sequence_items": sequence.items,
        "sequence_categories": sequence.categories,
        "sequence_types": sequence.types,
        "sequence_times_us": sequence.times_us,
        "sequence_dwell_ms": sequence.dwell_ms,
        "sequence_gaps_us": sequence.gaps_us,
        "sequence_session_starts": sequence.starts,
        "history_items": history.items,
        "history_times": history.times,
        "history_purchases": history.purchases,
        "history_last_us": history.last_us,
        **{f"history_{name}": [getattr(one, name) for one in history.rhythms] for name in Rhythm._fields},
        **{today_column(name): count for name, count in state.today.items()},
    }


def values_of(state: UserState) -> dict[str, Any]:
    """``columns_of`` in numbers, texts and lists alone, the interest carried to the state's moment."""
    interest = replace(state.interest, strengths=state.interest.at(state.moment_us, state.half_life_days))
    columns = columns_of(replace(state, interest=interest))
    return {name: value if isinstance(value, int | float) else _listed(value) for name, value in columns.items()}


def to_table(states: Sequence[UserState], window_days: tuple[int, ...], half_life_days: tuple[int, ...]) -> pa.Table:
    """A row per state, see ``state_schema``."""
    return pa.Table.from_pylist(
        [columns_of(state) for state in states], schema=state_schema(window_days, half_life_days)
    )


def from_table(
    table: pa.Table,
    user_ids: Sequence[str],
    moments_us: Sequence[int],
    window_days: tuple[int, ...],
    half_life_days: tuple[int, ...],
) -> list[UserState]:
    """The states that ``to_table`` wrote, at their moments."""
    return [
        replace(
            from_row(user_id, row, window_days, half_life_days),
            moment_us=int(moment),
            today={name: row[today_column(name)] for name in WINDOW_BEHAVIOURS},
        )
        for row, user_id, moment in zip(table.to_pylist(), user_ids, moments_us, strict=True)
    ]


def _listed(values: Any) -> list[Any]:
    return values.tolist() if isinstance(values, np.ndarray) else list(values)
