"""A version of the feature service stays when definitions change: it is found, and gives the features that it holds."""

from __future__ import annotations

import subprocess
import sys
from datetime import date
from typing import Any

import pyarrow as pa
import pytest

from features.engine import default_engine
from features.service import service_name, service_version
from features.store.point_in_time import user_rows
from features.store.repository import apply, open_store
from features.store.service_versions import earlier_services, service_of
from features.views import SERVICE, USER_SEQUENCE, views_of
from infra.children import child_environment
from infra.errors import FeatureError
from infra.partitions import day_end
from infra.settings import Settings

pytestmark = pytest.mark.integration

LAST = date(2011, 1, 10)


@pytest.fixture
def later(store: Any) -> Any:
    """Settings with one more window, which the registry has come to; it is as before afterwards."""
    changed = store.settings.model_copy(update={"window_days": (1, 3, 5)})
    apply(changed)
    yield changed
    apply(store.settings)


def columns(settings: Settings, name: str) -> set[str]:
    service = open_store(settings).get_feature_service(name)
    return {feature.name for view in service.feature_view_projections for feature in view.features}


def test_the_latest_service_and_its_version_hold_the_same(store: Any) -> None:
    feast, version = open_store(store.settings), service_version(store.settings)
    latest, pinned = feast.get_feature_service(SERVICE), feast.get_feature_service(service_name(version))
    assert latest.tags == pinned.tags
    assert pinned.tags["version"] == version
    assert columns(store.settings, SERVICE) == columns(store.settings, service_name(version))


def test_an_earlier_version_stays_as_it_was(store: Any, later: Settings) -> None:
    before, now = service_version(store.settings), service_version(later)
    assert open_store(later).get_feature_service(SERVICE).tags["version"] == now != before
    assert "view_count_5d" in columns(later, SERVICE)
    assert "view_count_5d" not in columns(later, service_name(before))
    assert service_name(before) in {service.name for service in earlier_services(later)}


def test_an_earlier_version_still_gives_its_features(store: Any, later: Settings) -> None:
    moment = day_end(LAST, store.settings.zone)
    asked = pa.table({"user_id": ["st-u1"], "event_timestamp": pa.array([moment], pa.timestamp("us", tz="UTC"))})
    feast = open_store(later)
    with default_engine(later):
        service = service_of(feast, service_version(store.settings))
        found = feast.get_historical_features(asked.to_pandas(), service, filter_by_created_timestamp=True).to_arrow()
    expected = user_rows(store.settings, asked)
    assert set(found.column_names) == set(expected.column_names)
    assert found.select(expected.column_names).cast(expected.schema).equals(expected)


def test_a_feature_that_was_taken_away_is_named(store: Any) -> None:
    fewer = store.settings.model_copy(update={"window_days": (1,)})
    apply(fewer)
    asked = pa.table({"user_id": ["st-u1"], "event_timestamp": pa.array([0], pa.timestamp("us", tz="UTC"))}).to_pandas()
    try:
        feast = open_store(fewer)
        earlier = service_of(feast, service_version(store.settings))
        assert "view_count_3d" in columns(fewer, earlier.name)
        with pytest.raises(ValueError, match=r"user_windows .*_3d which the FeatureView doesn't have"):
            feast.get_historical_features(asked, earlier)
    finally:
        apply(store.settings)


def intervals(settings: Settings) -> dict[str, Any]:
    """By view what was materialised."""
    views = open_store(settings).list_feature_views()
    return {view.name: list(view.materialization_intervals) for view in views}


def test_what_was_materialised_stays_when_definitions_change(store: Any) -> None:
    """Of the views that change, too: https://github.com/feast-dev/feast/issues/3228."""
    before = intervals(store.settings)
    assert all(before[view.name] for view in views_of(store.settings))
    apply(store.settings.model_copy(update={"window_days": (1, 3, 5), "session_minutes": 5}))
    after = intervals(store.settings)
    apply(store.settings)
    assert after == before == intervals(store.settings)


def test_feasts_own_apply_keeps_earlier_versions(store: Any, later: Settings) -> None:
    before = intervals(later)
    command = [sys.executable, "-m", "infra.cli.main", "feast", "apply"]
    environment = child_environment(store.settings)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert intervals(store.settings) == before, "of views whose definitions have changed with it"
    assert columns(store.settings, service_name(service_version(later))) >= {"view_count_5d", "view_count_3d"}


def test_feast_keeps_every_version_of_a_view(store: Any, later: Settings) -> None:
    versions = open_store(later).list_feature_view_versions("user_windows")
    assert len(versions) >= 2
    assert open_store(later).get_feature_view(USER_SEQUENCE)


def test_a_version_that_the_registry_does_not_know_is_said(store: Any) -> None:
    with pytest.raises(FeatureError, match=r"does not know the feature service interest_v1_nothing.*feast apply"):
        service_of(open_store(store.settings), "nothing")
