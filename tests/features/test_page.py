"""docs/features.md is what the code says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from features.last_event import LAST_EVENT
from features.page import features_page
from features.views import views_of
from infra.settings import PROJECT


def test_the_page_is_that_of_the_default_settings(tmp_path: Path, make_settings: Any) -> None:
    page = (PROJECT / "docs" / "features.md").read_text(encoding="utf-8")
    assert page == features_page(make_settings(tmp_path)), "Write it again: penchant features > docs/features.md"


def test_every_column_is_there_once_with_its_unit(tmp_path: Path, make_settings: Any) -> None:
    settings = make_settings(tmp_path, window_days=(2, 14), half_life_days=(5,))
    page = features_page(settings)
    assert "| `purchase_spend_{2,14}d` | int64 | minor units of the currency | sum of price x quantity" in page
    assert "| `interest_5d` | list<float64> | weighted events | strength of each of these categories, half-" in page
    assert "By `item_id`; a row holds 36 days; owner: penchant." in page
    assert "| `last_dwell_ms` | int64 | milliseconds | dwell time; null when unknown |" in page
    for view in (*views_of(settings), LAST_EVENT):
        assert page.count(f"## {view.name}\n") == 1
        for column in view.columns:
            assert f"`{column}`" in page or column.endswith(("_2d", "_14d"))
