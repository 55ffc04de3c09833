"""What an online store does with the view ``user_last_event``: it is read from the inbox, and never written."""

from __future__ import annotations

from typing import Any

from feast import FeatureView, RepoConfig
from feast.infra.online_stores.online_store import OnlineStore
from starlette.concurrency import run_in_threadpool

from features.last_event import USER_LAST_EVENT
from features.store.last_event import last_events
from infra.errors import FeatureError


class LastEvents(OnlineStore):  # type: ignore[misc]
    """To stand before another online store: all other views are that one's."""

    def online_read(
        self, config: RepoConfig, table: FeatureView, entity_keys: list[Any], requested_features: Any = None
    ) -> list[Any]:
        """Moment and values for each entity, None without a row."""
        if table.name != USER_LAST_EVENT:
            return list(super().online_read(config, table, entity_keys, requested_features))
        users = [key.entity_values[0].string_val for key in entity_keys]
        return list(last_events(config.online_store.inbox_address, users))

    async def online_read_async(
        self, config: RepoConfig, table: FeatureView, entity_keys: list[Any], requested_features: Any = None
    ) -> list[Any]:
        """``online_read``."""
        if table.name != USER_LAST_EVENT:
            return list(await super().online_read_async(config, table, entity_keys, requested_features))
        return await run_in_threadpool(self.online_read, config, table, entity_keys, requested_features)

    def _read_features_per_fv(self, config: RepoConfig, grouped_refs: Any, *rest: Any) -> None:
        """Feast on Redis reads all views in one go; this one is not there."""
        ours, others = _split(grouped_refs)
        OnlineStore._read_features_per_fv(self, config, ours, *rest)
        if others:
            super()._read_features_per_fv(config, others, *rest)

    async def _read_features_per_fv_async(self, config: RepoConfig, grouped_refs: Any, *rest: Any) -> None:
        ours, others = _split(grouped_refs)
        await OnlineStore._read_features_per_fv_async(self, config, ours, *rest)
        if others:
            await super()._read_features_per_fv_async(config, others, *rest)

    def online_write_batch(self, config: RepoConfig, table: FeatureView, data: Any, progress: Any) -> None:
        """Write what is no event.

        Raises:
            FeatureError: it is: they go to the inbox.
        """
        _require_no_event(table)
        super().online_write_batch(config, table, data, progress)

    async def online_write_batch_async(self, config: RepoConfig, table: FeatureView, data: Any, progress: Any) -> None:
        """``online_write_batch``."""
        _require_no_event(table)
        await super().online_write_batch_async(config, table, data, progress)


def _split(grouped: Any) -> tuple[list[Any], list[Any]]:
    ours = [one for one in grouped if one[0].name == USER_LAST_EVENT]
    return ours, [one for one in grouped if one[0].name != USER_LAST_EVENT]


def _require_no_event(table: FeatureView) -> None:
    if table.name == USER_LAST_EVENT:
        raise FeatureError(
            "Events cannot be pushed by this store: they would be online and nowhere else.",
            "Push them with features.store.repository.open_store(settings).push, or post them to /v1/events.",
        )
