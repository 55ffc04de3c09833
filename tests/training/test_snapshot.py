"""A snapshot gives back the states that it was given."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.state import UserState
from infra.errors import TrainingError
from infra.partitions import Span
from infra.settings import Settings
from training.moments import Splits, days_of, start_us
from training.snapshot import Snapshot


def assert_same(found: UserState, expected: UserState) -> None:
    assert found.moment_us == expected.moment_us
    assert found.sequence == expected.sequence
    assert found.history == expected.history
    assert {name: found.windows[name] for name in expected.windows} == dict(expected.windows)
    assert dict(found.today) == dict(expected.today)
    assert found.interest.categories == expected.interest.categories
    moment, lives = expected.moment_us, expected.half_life_days
    np.testing.assert_allclose(found.interest.at(moment, lives), expected.interest.at(moment, lives), rtol=1e-9)


def test_states_come_back_as_they_were(snapshot: Snapshot, log: Any, replayed: Any, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, sequence_length=12)
    for state in snapshot.states()[::7]:
        assert_same(state, replayed(settings, log, state.user_id, state.moment_us))


def test_a_folder_without_a_snapshot_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="holds no snapshot"):
        Snapshot.load(tmp_path)


def test_splits_end_with_the_fresh_days(settings: Settings) -> None:
    splits = Splits.until(date(2010, 12, 9), date(2009, 12, 1), settings)
    assert splits.fresh == Span(date(2010, 12, 3), date(2010, 12, 10))
    assert splits.validation == Span(date(2010, 11, 19), date(2010, 12, 3))
    assert splits.train == Span(date(2009, 12, 1), date(2010, 11, 19))
    assert splits.of(date(2010, 12, 2)) == "validation"


def test_a_short_history_leaves_splits_empty_not_overlapping(settings: Settings) -> None:
    splits = Splits.until(date(2010, 1, 3), date(2010, 1, 1), settings)
    assert (len(splits.train), len(splits.validation), len(splits.fresh)) == (0, 0, 3)


def test_days_are_the_shops(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, timezone="Asia/Shanghai")
    span = Span(date(2010, 1, 1), date(2010, 1, 4))
    midnight = start_us(date(2010, 1, 2), settings)
    assert days_of(np.array([midnight - 1, midnight]), span, settings) == [date(2010, 1, 1), date(2010, 1, 2)]
