"""Ranking metrics: worked by hand, against scikit-learn, and as properties."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from infra.errors import TrainingError
from training.metrics import coverage, metric_names, per_moment
from training.ranking import rank, top

INF = math.inf

baskets = st.lists(
    st.lists(
        st.one_of(st.integers(1, 60), st.just(INF)),
        min_size=1,
        max_size=8,
        unique_by=lambda r: r if r < INF else object(),
    ),
    min_size=1,
    max_size=6,
)


def one(ranks: list[float]) -> dict[str, float]:
    return {name: float(values[0]) for name, values in per_moment([np.array(ranks)]).items()}


def test_one_basket_by_hand() -> None:
    figures = one([1.0, 3.0, 12.0, INF])

    assert_allclose(figures["recall_5"], 2 / 4)
    assert_allclose(figures["precision_5"], 2 / 5)
    assert_allclose(figures["recall_20"], 3 / 4)
    assert_allclose(figures["mrr"], 1.0)
    ideal = 1 + 1 / math.log2(3) + 1 / 2 + 1 / math.log2(5)
    assert_allclose(figures["ndcg_5"], (1 + 1 / 2) / ideal)
    assert_allclose(figures["ndcg_20"], (1 + 1 / 2 + 1 / math.log2(13)) / ideal)


def test_an_item_that_the_model_does_not_know_costs_recall() -> None:
    figures = one([INF])

    assert all(value == 0 for value in figures.values())


def test_more_targets_than_places_can_still_be_perfect() -> None:
    figures = one([float(place) for place in range(1, 9)])

    assert_allclose(figures["ndcg_5"], 1.0)
    assert_allclose(figures["recall_5"], 5 / 8)
    assert_allclose(figures["precision_5"], 1.0)


def test_first_target_beyond_the_cut_has_no_reciprocal_rank_there() -> None:
    figures = one([7.0, 9.0])

    assert figures["mrr_5"] == 0
    assert_allclose(figures["mrr_10"], 1 / 7)
    assert figures["hit_5"] == 0
    assert figures["hit_10"] == 1


def test_a_moment_without_targets_is_refused() -> None:
    with pytest.raises(TrainingError, match="without a target"):
        per_moment([np.array([1.0]), np.array([])])


def test_no_moments_give_no_values() -> None:
    assert all(len(values) == 0 for values in per_moment([]).values())


def test_coverage_counts_each_item_once() -> None:
    assert coverage([np.array([[0, 1]]), np.array([[1, 2]])], 6) == 0.5
    assert coverage([], 6) == 0
    assert coverage([], 0) == 0


@pytest.mark.parametrize("cut", [5, 10, 20])
def test_ndcg_equals_scikit_learns(cut: int) -> None:
    from sklearn.metrics import ndcg_score

    random = np.random.default_rng(4)
    scores = random.normal(size=(40, 70)).astype(np.float32)
    targets = [random.choice(70, size=random.integers(1, 25), replace=False) for _ in range(40)]
    relevance = np.zeros((40, 70))
    for row, columns in enumerate(targets):
        relevance[row, columns] = 1

    ours = per_moment(rank(scores, targets))[f"ndcg_{cut}"].mean()

    assert_allclose(ours, ndcg_score(relevance, scores, k=cut), rtol=1e-9)


def test_ties_are_neither_reward_nor_punishment() -> None:
    """Over many lots NDCG is scikit-learn's, which averages over all orders of a tie."""
    from sklearn.metrics import ndcg_score

    scores = np.array([[2, 1, 1, 1, 1, 1, 0, 0]], dtype=np.float32)
    relevance = np.array([[0, 1, 0, 0, 1, 0, 1, 0]])

    drawn = [per_moment(rank(scores, [np.array([1, 4, 6])], seed=seed), [3])["ndcg_3"][0] for seed in range(4000)]

    assert_allclose(np.mean(drawn), ndcg_score(relevance, scores, k=3), atol=0.01)


def test_scoring_everything_alike_finds_no_more_than_chance() -> None:
    scores = np.zeros((2000, 50), dtype=np.float32)
    ranks = rank(scores, [np.array([0])] * 2000)

    assert_allclose(per_moment(ranks)["hit_5"].mean(), 5 / 50, atol=0.03)


def test_reciprocal_rank_equals_scikit_learns() -> None:
    from sklearn.metrics import label_ranking_average_precision_score

    random = np.random.default_rng(5)
    scores = random.normal(size=(30, 40)).astype(np.float32)
    targets = [np.array([random.integers(40)]) for _ in range(30)]
    relevance = np.zeros((30, 40), dtype=int)
    relevance[np.arange(30), [columns[0] for columns in targets]] = 1

    ours = per_moment(rank(scores, targets))["mrr"].mean()

    assert_allclose(ours, label_ranking_average_precision_score(relevance, scores))


@given(baskets)
def test_every_metric_lies_between_0_and_1(ranks: list[list[float]]) -> None:
    for name, values in per_moment([np.array(basket) for basket in ranks]).items():
        assert values.min() >= 0, name
        assert values.max() <= 1 + 1e-12, name


@given(baskets)
def test_a_larger_cut_never_finds_less(ranks: list[list[float]]) -> None:
    values = per_moment([np.array(basket) for basket in ranks])
    for kind in ("recall", "hit", "mrr"):
        assert (values[f"{kind}_5"] <= values[f"{kind}_10"]).all()
        assert (values[f"{kind}_10"] <= values[f"{kind}_20"]).all()


@given(st.data())
def test_the_order_of_a_baskets_targets_does_not_matter(data: st.DataObject) -> None:
    ranks = data.draw(baskets)
    shuffled = [data.draw(st.permutations(basket)) for basket in ranks]
    values, others = (per_moment([np.array(basket) for basket in given]) for given in (ranks, shuffled))

    for name in metric_names():
        assert_allclose(values[name], others[name])


@given(st.integers(0, 1000), st.integers(1, 12))
def test_ranks_of_all_items_are_a_permutation_even_with_ties(seed: int, values: int) -> None:
    scores = np.random.default_rng(seed).integers(values, size=(3, 15)).astype(np.float32)
    for ranks in rank(scores, [np.arange(15)] * 3, seed=seed):
        assert sorted(ranks) == list(range(1, 16))


@given(st.integers(0, 1000), st.integers(1, 6), st.integers(1, 20))
def test_the_top_are_the_items_ranked_first(seed: int, values: int, count: int) -> None:
    scores = np.random.default_rng(seed).integers(values, size=(2, 15)).astype(np.float32)
    ranks = rank(scores, [np.arange(15)] * 2, seed=seed)
    for row, columns in enumerate(top(scores, count, seed=seed)):
        assert set(columns) == set(np.flatnonzero(ranks[row] <= count))


def test_a_better_score_never_ranks_worse_and_unknown_items_never_appear() -> None:
    scores = np.array([[0.1, 0.9, 0.5]], dtype=np.float32)

    assert rank(scores, [np.array([1, -1, 2])])[0].tolist() == [1.0, INF, 2.0]


def test_ranking_in_parts_equals_ranking_at_once() -> None:
    scores = np.random.default_rng(6).integers(3, size=(6, 20)).astype(np.float32)
    targets = [np.arange(5)] * 6

    parts = [rank(scores[part], targets[:3], moments=part) for part in ([0, 1, 2], [3, 4, 5])]

    assert_allclose(parts[0] + parts[1], rank(scores, targets))


def test_scores_that_are_not_numbers_are_refused() -> None:
    with pytest.raises(TrainingError, match="not numbers"):
        rank(np.array([[np.nan, 1.0]], dtype=np.float32), [np.array([1])])
