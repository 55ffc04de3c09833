"""The source that docs/sources.md adds works as it is written there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from features.events import sources
from features.events.by_hand import take_files
from features.events.sources import SOURCES, Source
from infra.settings import PROJECT, Settings

PAGE = (PROJECT / "docs" / "sources.md").read_text(encoding="utf-8")


@pytest.fixture
def hits(monkeypatch: pytest.MonkeyPatch) -> Source:
    [code] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    namespace: dict[str, Any] = {}
    exec(code, namespace)  # noqa: S102 (our own page)
    found: Source = namespace["HITS"]
    monkeypatch.setitem(sources.SOURCES, found.name, found)
    return found


def test_a_source_in_one_file(hits: Source, shop: Settings, tmp_path: Path) -> None:
    log = tmp_path / "hits_1.csv"
    log.write_text(
        "ts,visitor,sku,action,ms\n1291191960,7,A1,look,1500\n1291191999,7,A1,buy,\n1291192000,8,TEST1,look,10\n"
    )
    manifest = take_files(shop, [str(log)])
    assert (manifest.source, manifest.accepted) == ("hits", 2)
    assert manifest.quarantined_by_reason == {"test_order": 1}


def test_every_source_is_on_the_page() -> None:
    assert {name for name in SOURCES if f"`{name}`" not in PAGE} == {"inbox"}
