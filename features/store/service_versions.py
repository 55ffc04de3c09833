"""The versions of the feature service that Feast's registry knows: each has a service of its own name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from features.service import service_name, service_version
from features.store.repository import open_store
from infra.errors import FeatureError
from infra.settings import Settings

if TYPE_CHECKING:
    from feast import FeatureService, FeatureStore


def service_of(store: FeatureStore, version: str) -> FeatureService:
    """The feature service that holds this version (``features.service``), whatever the definitions are now.

    Raises:
        FeatureError: the registry does not know it.
    """
    from feast.errors import FeatureServiceNotFoundException

    try:
        return store.get_feature_service(service_name(version))
    except FeatureServiceNotFoundException as error:
        raise FeatureError(
            f"Feast's registry does not know the feature service {service_name(version)}.",
            "Bring it to the definitions: materialise a day, or 'penchant feast apply'.",
        ) from error


def earlier_services(settings: Settings) -> list[FeatureService]:
    """The services of versions that are no longer the present one: 'feast apply' would remove what it is not told."""
    present = service_name(service_version(settings))
    known = open_store(settings).list_feature_services()
    return [found for found in known if found.name.startswith(service_name("")) and found.name != present]
