"""Rows that changed go online, and then the watermark says through which moment everything is there."""

from __future__ import annotations

import io
import logging
import time
from contextlib import redirect_stdout
from datetime import UTC, datetime
from typing import Any, Final

from redis import Redis

from features.days import built_days
from features.engine import default_engine
from features.store.repository import apply, open_store
from infra.errors import FeatureError
from infra.locks import one_at_a_time
from infra.partitions import Span, day_end
from infra.settings import Settings
from infra.valkey import valkey

#: Key in Valkey: the T, ISO 8601, of the last day whose rows are online.
WATERMARK: Final = "penchant:materialised_through"

_log = logging.getLogger(__name__)


def materialise(settings: Settings, span: Span) -> dict[str, Any]:
    """Write the last row of every user and item that changed in ``span`` or since to the online store.

    The registry is brought to the definitions first, so a new or changed view needs nothing else.
    Later days that are built already come along: the online store keeps one row an entity, so it must
    never see an older one last. A span that was built again is materialised again.

    Returns:
        ``through`` (the watermark), ``seconds``.

    Raises:
        FeatureError: a day of the span is not built.
    """
    started = time.perf_counter()
    with one_at_a_time(settings, "materialise"):
        days = built_days(settings)
        missing = sorted(set(span.days()) - set(days))
        if missing or not len(span):
            raise FeatureError(
                f"The features of {missing[0] if missing else 'no day'} are not built.", "Build the span first."
            )
        through = day_end(days[-1], settings.zone)
        _write(settings, day_end(span.start, settings.zone), through)
        _raise_watermark(settings, through)
    return {"through": through.isoformat(), "seconds": round(time.perf_counter() - started, 3)}


def materialised_through(client: Redis) -> datetime | None:
    """The watermark: T of the last day whose rows are online; None before the first."""
    value = client.get(WATERMARK)
    return datetime.fromisoformat(value.decode()).astimezone(UTC) if isinstance(value, bytes) else None


def _write(settings: Settings, start: datetime, end: datetime) -> None:
    said = io.StringIO()
    apply(settings)
    with default_engine(settings), redirect_stdout(said):
        open_store(settings).materialize(start, end)
    _log.debug(said.getvalue())


def _raise_watermark(settings: Settings, through: datetime) -> None:
    with valkey(settings) as client:
        before = materialised_through(client)
        client.set(WATERMARK, max(before or through, through).isoformat())
