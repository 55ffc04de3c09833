"""A data set gives what the snapshot holds, in any vocabulary, and nothing from the moment on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from features.inputs import SEQUENCE_ITEM, encode, stat_columns, stats_table
from features.pairs import pair_columns
from features.vocabulary import FIRST, UNKNOWN, Vocabulary
from training.dataset import Dataset
from training.snapshot import Snapshot


@pytest.fixture(scope="module")
def dataset(snapshot: Snapshot) -> Dataset:
    return Dataset(snapshot)


def test_targets_and_splits_follow_the_days(dataset: Dataset, snapshot: Snapshot) -> None:
    known = dataset.vocabulary
    for row, items in enumerate(snapshot.moments["targets"].to_pylist()):
        assert [known.items[index - FIRST] for index in dataset.targets[row]] == items
    train, validation, fresh = (dataset.rows(split) for split in ("train", "validation", "fresh"))
    assert np.concatenate([train, validation, fresh]).tolist() == list(range(len(dataset)))
    assert dataset.moments_us[train].max() < dataset.moments_us[validation].min()
    assert dataset.moments_us[validation].max() < dataset.moments_us[fresh].min()


def test_encoding_is_the_one_of_an_answer(dataset: Dataset, snapshot: Snapshot) -> None:
    """Rows that are kept prepared encode to what ``features.inputs.encode`` makes of their states."""
    rows = dataset.rows("validation")[:5]
    candidates = np.tile(dataset.vocabulary.all_items, (len(rows), 1))
    states = snapshot.states()
    expected = encode(
        [states[row] for row in rows],
        candidates,
        [dataset.stats(int(row)) for row in rows],
        dataset.vocabulary,
        dataset.sequence_length,
    )
    found = dataset.encode(rows, candidates)
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values)


def test_statistics_are_those_of_the_day(dataset: Dataset, snapshot: Snapshot) -> None:
    row = int(dataset.rows("validation")[0])
    day = snapshot.moments["day"][row].as_py()
    known = [entry for entry in snapshot.item_stats.to_pylist() if entry["day"] == day]
    items = list(dataset.vocabulary.items)
    by_item = {entry["item_id"]: entry for entry in known}
    names = stat_columns(snapshot.window_days)
    columns = {name: [by_item.get(item, {}).get(name, 0) for item in items] for name in names[:-1]}
    expected = stats_table(items, {**columns, "price": [100] * len(items)}, dataset.vocabulary, snapshot.window_days)
    np.testing.assert_array_equal(dataset.stats(row), expected)


def test_nothing_at_or_after_the_moment_is_seen(dataset: Dataset, log: Any) -> None:
    """Every item in a row's inputs was touched by the user strictly before its moment."""
    touched: dict[tuple[str, str], int] = {}
    for event in log.events:
        if event["item_id"]:
            key = (event["user_id"], event["item_id"])
            at = int(event["occurred_at"].timestamp() * 1_000_000)
            touched[key] = min(at, touched.get(key, at))
    names = dataset.vocabulary.items
    for row in range(len(dataset)):
        state = dataset.states[row]
        assert max((*state.sequence.times_us, *state.history.last_us), default=0) < dataset.moments_us[row]
        inputs = dataset.encode([row], dataset.vocabulary.all_items[None])
        seen = inputs["candidate_user"][0, :, pair_columns(dataset.snapshot.half_life_days).index("seen")]
        used = {*inputs[SEQUENCE_ITEM][0], *(dataset.vocabulary.all_items[seen > 0])} - {0, UNKNOWN}
        assert all(touched[dataset.user_ids[row], names[index - FIRST]] < dataset.moments_us[row] for index in used)


def test_another_vocabulary_leaves_strangers_unknown(snapshot: Snapshot) -> None:
    own = snapshot.vocabulary()
    fewer = Vocabulary.of(dict(list(zip(own.items, own.item_categories, strict=True))[::2]))
    dataset = Dataset(snapshot, fewer)
    share = np.mean(np.concatenate(dataset.targets) == UNKNOWN)
    assert 0.3 < share < 0.7
    inputs = dataset.encode(dataset.rows("validation")[:3], np.array([[UNKNOWN, *fewer.all_items, 0]] * 3))
    assert not inputs["candidate_user"][:, [0, -1]].any()
    assert not inputs["candidate_stats"][:, [0, -1]].any()
    assert (inputs[SEQUENCE_ITEM] == UNKNOWN).any()


def test_equal_content_has_an_equal_id(snapshot: Snapshot) -> None:
    again = Snapshot.load(snapshot.path)
    assert (again.id, again.digest) == (snapshot.id, snapshot.digest)
    assert snapshot.id.startswith(snapshot.meta["through"])
    assert replace(again, meta={}) == replace(snapshot, meta={})
