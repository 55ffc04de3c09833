"""Feast's store whose push of events takes them in as the API does."""

from __future__ import annotations

from typing import Any

import pandas as pd
from feast import FeatureStore, RepoConfig
from feast.data_source import PushMode
from starlette.concurrency import run_in_threadpool

from features.events.schema import OCCURRED_AT
from features.live.intake import take_in
from features.store.last_event import EVENTS
from infra.settings import Settings


class PushingStore(FeatureStore):  # type: ignore[misc] # Feast ships no types
    """Feast's own store but for ``push("events", frame)``: it takes events in, wherever it is told to push to."""

    def __init__(self, settings: Settings, config: RepoConfig) -> None:
        super().__init__(config=config)
        self._settings = settings

    def push(
        self,
        push_source_name: str,
        df: pd.DataFrame,
        allow_registry_cache: bool = True,
        to: PushMode = PushMode.ONLINE,
        transform_on_write: bool = True,
    ) -> None:
        """Take the rows of ``df`` in, all or none: durable in the inbox, known to the next answer, in the lake after
        the next ingest, whatever ``to`` says. What has an ``event_id`` can be pushed again: it counts once. Other
        sources are Feast's affair.

        Args:
            df: an event a row, columns as ``POST /v1/events`` names them; what is missing or null was not said.

        Raises:
            DeliveryError: rows that are no events; nothing was stored.
            ServiceError: PostgreSQL is down.
        """
        if push_source_name == EVENTS:
            take_in(self._settings, rows_of(df))
        else:
            super().push(push_source_name, df, allow_registry_cache, to, transform_on_write)

    async def push_async(
        self,
        push_source_name: str,
        df: pd.DataFrame,
        allow_registry_cache: bool = True,
        to: PushMode = PushMode.ONLINE,
        **options: Any,
    ) -> None:
        """``push``, in a thread."""
        if push_source_name == EVENTS:
            await run_in_threadpool(self.push, push_source_name, df)
        else:
            await super().push_async(push_source_name, df, allow_registry_cache, to, **options)


def rows_of(frame: pd.DataFrame) -> list[dict[str, object]]:
    """The rows of a frame as JSON would say them.

    pandas makes floats of whole numbers beside a missing one: they are whole again.
    """
    rows = frame.convert_dtypes().astype(object).to_dict("records")
    return [{str(name): _said(name, value) for name, value in row.items() if not _missing(value)} for row in rows]


def _missing(value: object) -> bool:
    return bool(pd.api.types.is_scalar(value) and pd.isna(value))


def _said(name: object, value: Any) -> object:
    return value.isoformat() if name == OCCURRED_AT and hasattr(value, "isoformat") else value
