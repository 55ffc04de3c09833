"""The version of the feature service follows from the definitions, and from nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from features import service
from features.service import differing, feature_versions, service_version
from features.view import Feature
from features.views import USER_SEQUENCE, views_of
from infra.settings import Settings

SEQUENCE_ITEMS = f"{USER_SEQUENCE}:sequence_items"


@pytest.fixture
def defined(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Define the features of the user's sequence otherwise; the argument makes the new from the old ones."""

    def define(change: Any) -> None:
        def changed(settings: Settings) -> tuple[Any, ...]:
            return tuple(
                replace(view, features=change(view.features)) if view.name == USER_SEQUENCE else view
                for view in views_of(settings)
            )

        monkeypatch.setattr(service, "views_of", changed)

    return define


def test_equal_settings_have_equal_versions_and_what_features_do_not_follow_changes_none(settings: Settings) -> None:
    other = settings.model_copy(update={"threads": 7, "engine": "spark", "api_port": 1, "online_user_days": 30})
    assert service_version(other) == service_version(settings)
    assert feature_versions(other) == feature_versions(settings)


@pytest.mark.parametrize(
    "changed", [{"session_minutes": 5}, {"timezone": "Asia/Shanghai"}, {"window_days": (1, 7)}, {"history_items": 9}]
)
def test_settings_that_features_follow_change_the_version(settings: Settings, changed: dict[str, Any]) -> None:
    other = settings.model_copy(update=changed)
    assert service_version(other) != service_version(settings)
    assert differing(feature_versions(settings), other)


def test_computing_otherwise_changes_every_feature(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    before = feature_versions(settings)
    monkeypatch.setattr(service, "COMPUTED", service.COMPUTED + 1)
    assert differing(before, settings) == list(before)


def test_a_feature_that_is_added_changes_the_version_and_none_of_the_others(settings: Settings, defined: Any) -> None:
    version, before = service_version(settings), feature_versions(settings)
    defined(lambda features: (*features, Feature("sequence_news", "list<int64>", "", "something new")))
    assert service_version(settings) != version
    assert differing(before, settings) == []


def test_a_feature_that_goes_or_means_something_else_is_named(settings: Settings, defined: Any) -> None:
    before = feature_versions(settings)
    defined(lambda features: features[1:])
    assert differing(before, settings) == [SEQUENCE_ITEMS]
    defined(lambda features: (replace(features[0], description="other items"), *features[1:]))
    assert differing(before, settings) == [SEQUENCE_ITEMS]
