"""A challenge between models of different trainings: each answers in its own ids, about the same moments."""

from __future__ import annotations

import numpy as np
import pytest

from features.bundle import Bundle, BundleMeta
from features.vocabulary import Vocabulary
from training.challenge import Rival, measure
from training.contenders import contender
from training.dataset import Dataset
from training.snapshot import Snapshot

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def old(snapshot: Snapshot, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Recent-popular of a training that knew two thirds of the catalogue, with sequences of 5 events."""
    from training.export import save_bundle

    kept = {item: f"c{number % 4}" for number, item in enumerate(snapshot.vocabulary().items[:16])}
    vocabulary = Vocabulary.of(kept)
    meta = BundleMeta(
        name="recent-popular",
        kind="baseline",
        feature_service="interest_v1",
        feature_service_version="v",
        features={},
        sequence_length=5,
        window_days=snapshot.window_days,
        half_life_days=snapshot.half_life_days,
        history_items=1000,
        data_digest="d",
        snapshot_id="s",
        git_commit="c",
        created_at="2010-12-10T00:00:00+00:00",
    )
    model = contender(Dataset(snapshot, vocabulary, 5), "recent-popular", {"days": 7}).model
    items = snapshot.items.filter(np.isin(snapshot.items["item_id"].to_pylist(), list(kept)))
    return Bundle.load(save_bundle(tmp_path_factory.mktemp("old") / "bundle", model, vocabulary, items, meta))


def test_an_older_model_is_measured_in_its_own_ids(old: Bundle, snapshot: Snapshot) -> None:
    own = Dataset(snapshot)
    told: list[str] = []
    now = contender(own, "recent-popular", {"days": 7}).model
    rivals = [
        Rival("recent-popular", 1, old),
        Rival("recent-popular", None, now),
        Rival("popular", None, contender(own, "popular", {}).model),
    ]

    found = measure(rivals, own, told.append)

    assert [rival.label for rival, _ in found] == ["recent-popular v1", "recent-popular", "popular"]
    assert told == ["the fresh days: recent-popular, popular", "the fresh days: recent-popular v1"]
    tables = [figures.table for _, figures in found]
    assert all(table["moment_id"].equals(tables[0]["moment_id"]) for table in tables)
    older, newer = (figures.metrics["recall_20"].value for _, figures in found[:2])
    assert 0 < older < newer  # what it never knew it cannot find
