"""The Feast objects, made from ``features.views``: entities, sources, feature views, services."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from feast import Entity, FeatureService, FeatureView, Field, ValueType
from feast.types import Array, Float64, Int64, String

from features.events.schema import CATEGORY, INGESTED_AT, ITEM_ID, OCCURRED_AT, USER_ID
from features.last_event import COLUMN_OF, LAST_EVENT
from features.service import service_name, service_version
from features.store.last_event import last_event_view
from features.store.sources import parquet_source
from features.view import CREATED_TIMESTAMP, EVENT_TIMESTAMP, OWNER, Feature, View
from features.views import SERVICE, views_of
from features.window_views import SEGMENT
from infra.settings import Settings

_TYPES: Final[dict[str, Any]] = {
    "string": String,
    "int64": Int64,
    "float64": Float64,
    "list<string>": Array(String),
    "list<int64>": Array(Int64),
    "list<float64>": Array(Float64),
}


def definitions(settings: Settings) -> list[Any]:
    """Everything that the registry holds for these settings: entities, feature views, services."""
    entities = {
        USER_ID: Entity(
            name=USER_ID, join_keys=[USER_ID], value_type=ValueType.STRING, description="a known user", owner=OWNER
        ),
        ITEM_ID: Entity(
            name=ITEM_ID, join_keys=[ITEM_ID], value_type=ValueType.STRING, description="an item", owner=OWNER
        ),
        CATEGORY: Entity(
            name=CATEGORY, join_keys=[CATEGORY], value_type=ValueType.STRING, description="a category", owner=OWNER
        ),
        SEGMENT: Entity(
            name=SEGMENT, join_keys=[SEGMENT], value_type=ValueType.STRING, description="country=Norway", owner=OWNER
        ),
    }
    views = [feature_view(view, entities[view.entity], settings) for view in views_of(settings)]
    return [*entities.values(), *views, _last_event(settings, entities[USER_ID]), *services(settings, views)]


def services(settings: Settings, views: Sequence[FeatureView]) -> list[FeatureService]:
    """The service as it is now, and the same under the name of its version, which stays when definitions change."""
    version = service_version(settings)
    tags = {
        "version": version,
        "windows": _listed(settings.window_days),
        "half_lives": _listed(settings.half_life_days),
    }
    told = {
        SERVICE: "What models read about a user, as it is defined now; items are looked up by their view.",
        service_name(version): f"{SERVICE} of one version: which models were trained on it, their tags in MLflow say.",
    }
    users = [view for view in views if view.entities == [USER_ID]]
    return [
        FeatureService(name=name, features=users, description=description, owner=OWNER, tags=tags)
        for name, description in told.items()
    ]


def feature_view(view: View, entity: Entity, settings: Settings) -> FeatureView:
    """The view over its daily files."""
    return FeatureView(
        name=view.name,
        entities=[entity],
        ttl=timedelta(days=view.ttl_days) if view.ttl_days else timedelta(0),
        schema=[Field(name=view.entity, dtype=String), *(_field(feature, view.owner) for feature in view.features)],
        source=parquet_source(
            settings,
            f"{view.name}_files",
            settings.lake.feature_folder(view.name) / "*.parquet",
            (EVENT_TIMESTAMP, CREATED_TIMESTAMP),
            f"one file a day: the rows of {view.name} that changed on it",
            owner=view.owner,
        ),
        online=True,
        description=view.description,
        owner=view.owner,
        tags={"entity": view.entity},
    )


def _last_event(settings: Settings, user: Entity) -> FeatureView:
    published = parquet_source(
        settings,
        "published_events",
        settings.lake.events_folder / "*" / "*.parquet",
        (OCCURRED_AT, INGESTED_AT),
        "the published log: a folder a day",
        {column: name for name, column in COLUMN_OF.items()},
    )
    fields = [_field(feature, LAST_EVENT.owner) for feature in LAST_EVENT.features]
    return last_event_view(user, published, fields)


def _field(feature: Feature, owner: str) -> Field:
    told = f"{feature.description} ({feature.unit})" if feature.unit else feature.description
    tags = {"owner": owner, **({"unit": feature.unit} if feature.unit else {})}
    return Field(name=feature.name, dtype=_TYPES[feature.kind], description=told, tags=tags)


def _listed(days: tuple[int, ...]) -> str:
    return ", ".join(f"{length} days" for length in days)
