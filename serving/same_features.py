"""Whether a bundle was trained on the features that the store serves: told before it serves, not by its answers."""

from __future__ import annotations

from typing import Final

from features.bundle import BundleMeta
from features.service import differing, service_name, service_version
from infra.errors import RegistryError
from infra.settings import Settings

#: Features named in a message.
_SHOWN: Final = 3


def require_same_features(meta: BundleMeta, settings: Settings) -> None:
    """Hold that all features of the bundle's training are there, and defined as they were; others may have come.

    Raises:
        RegistryError: says which are not.
    """
    if (meta.window_days, meta.half_life_days) != (settings.window_days, settings.half_life_days):
        raise RegistryError(
            f"it reads windows of {meta.window_days} and half-lives of {meta.half_life_days} days, and the store "
            f"holds {settings.window_days} and {settings.half_life_days}.",
            "Train again, or set window_days and half_life_days back.",
        )
    others = differing(meta.features, settings)
    if others:
        named = ", ".join(others[:_SHOWN]) + (", …" if len(others) > _SHOWN else "")
        raise RegistryError(
            f"it was trained on {service_name(meta.feature_service_version)}, and the store serves "
            f"{service_name(service_version(settings))}: of its {len(meta.features)} features {len(others)} are "
            f"missing or defined otherwise ({named}).",
            "Train again, or go back to the settings and definitions of that time.",
        )
