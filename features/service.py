"""Which features a model rests on: the version of the feature service, which follows from their definitions.

Equal definitions have equal versions, wherever and whenever: a setting that is set back brings the version back.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

from features.view import Feature, View
from features.views import CHAINED, ITEM_COVISITS, SERVICE, USER_ITEMS, USER_SEQUENCE, views_of
from features.window_views import SEGMENT_WINDOWS
from infra.settings import Settings

#: Settings that all features follow, and those that a view follows alone.
FOLLOWED: Final = ("timezone", "session_minutes", "tie_backwards")
FOLLOWED_BY: Final[Mapping[str, str]] = {
    USER_SEQUENCE: "sequence_length",
    USER_ITEMS: "history_items",
    ITEM_COVISITS: "basket_items",
    SEGMENT_WINDOWS: "segments",
}
#: Raised when features are computed otherwise than before: every day is built again then.
COMPUTED: Final = 2
_DIGITS: Final = 12


def feature_versions(settings: Settings) -> dict[str, str]:
    """By ``view:feature`` a digest of what it is: type, unit, meaning, lifetime, and the settings that it follows."""
    return {
        f"{view.name}:{one.name}": _digest([*_followed(settings, view), _life(view), *_said(one)])
        for view in views_of(settings)
        for one in view.features
    }


def service_version(settings: Settings) -> str:
    """The version of ``SERVICE`` for these settings: a digest of all definitions."""
    views = [
        [view.name, *_followed(settings, view), _life(view), [[one.name, *_said(one)] for one in view.features]]
        for view in views_of(settings)
    ]
    return _digest(views)


def service_name(version: str) -> str:
    """The feature service that holds this version and no other; ``SERVICE`` itself is the latest."""
    return f"{SERVICE}_{version}"


def differing(trained_on: Mapping[str, str], settings: Settings) -> list[str]:
    """Those features, of ``feature_versions`` elsewhere or earlier, that are missing here or defined otherwise."""
    known = feature_versions(settings)
    return [name for name, version in trained_on.items() if known.get(name) != version]


def _followed(settings: Settings, view: View) -> list[Any]:
    names = (*FOLLOWED, FOLLOWED_BY[view.name]) if view.name in FOLLOWED_BY else FOLLOWED
    return [COMPUTED, *(str(getattr(settings, name)) for name in names)]


def _life(view: View) -> int | None:
    """The view's ttl; not ``online_user_days``: no row is another for it, and a store that is full may lower it."""
    return None if view.name in CHAINED else view.ttl_days


def _said(feature: Feature) -> list[str]:
    return [feature.kind, feature.unit, feature.description]


def _digest(content: list[Any]) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:_DIGITS]
