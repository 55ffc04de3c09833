"""Drawing a shop takes the memory of a block, however many blocks there are; and its year has a December."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.events.simulator import shop as shops
from features.events.simulator import simulate as writing
from features.events.simulator.shop import Shop
from features.events.simulator.simulate import simulate

pytestmark = pytest.mark.thorough

BLOCK = 20_000


@pytest.fixture
def drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], tuple[list[int], int]]:
    """Draws a shop with so many users: the events of each block, and the memory in bytes that it takes."""
    monkeypatch.setattr(shops, "BLOCK_EVENTS", BLOCK)
    real = writing._draw
    blocks: list[int] = []
    held: list[int] = []

    def spied(*arguments: Any) -> int:
        blocks.append(real(*arguments))
        held.append(pa.total_allocated_bytes())
        return blocks[-1]

    monkeypatch.setattr(writing, "_draw", spied)

    def draw(users: int) -> tuple[list[int], int]:
        blocks.clear()
        held.clear()
        before = pa.total_allocated_bytes()
        tracemalloc.start()
        try:
            written = simulate(Shop(users=users, items=50, days=4), tmp_path / str(users))["events"]
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert sum(blocks) == written
        return list(blocks), peak + max(held) - before  # Arrow's is what it has after a block

    return draw


def test_users_are_drawn_in_blocks_whose_memory_is_let_go(drawn: Callable[[int], tuple[list[int], int]]) -> None:
    of_one = Shop(days=4).events_per_user
    drawn(50)  # what is loaded once
    few, little = drawn(int(2 * BLOCK / of_one))
    many, much = drawn(int(12 * BLOCK / of_one))
    assert len(many) > 5 * len(few) > 5
    assert max(*few, *many) < 1.1 * BLOCK
    assert much < 1.1 * little


def test_december_is_busier_than_june(tmp_path: Path) -> None:
    """By as much as the season says, once what else differs from day to day is evened out over a month."""
    shop = Shop(users=400, items=50, days=365, new_users=0, half_life_days=(1, 2), interests_per_month=3)
    simulate(shop, tmp_path / "shop")
    rows = {
        month: sum(
            pq.read_metadata(path).num_rows for path in (tmp_path / "shop" / "log").glob(f"dt=2025-{month:02}-*/*")
        )
        for month in (6, 12)
    }
    busy = 1 + shop.season * np.cos(2 * np.pi * (np.arange(1, 366) - 355) / 365)
    expected = busy[334:].mean() / busy[151:181].mean() * 31 / 30
    assert expected > 1.8
    assert rows[12] / rows[6] == pytest.approx(expected, rel=0.1)
