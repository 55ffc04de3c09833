"""A shop of today, which takes files from their paths alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from features.events.by_hand import take_files
from features.events.manifest import Manifest
from features.events.publish import publish
from infra.settings import Settings


@pytest.fixture
def mall(tmp_path: Path, make_settings: Any) -> Settings:
    """A shop of today: nothing of the datasets lies in the future."""
    return make_settings(tmp_path / "home", clock="2026-01-01T00:00:00+00:00")


@pytest.fixture
def taken(mall: Settings) -> Any:
    def take(*places: Path, **more: Any) -> Manifest:
        manifest = take_files(mall, [str(place) for place in places], **more)
        publish(mall, [manifest.delivery_id], gated=False)
        return manifest

    return take
