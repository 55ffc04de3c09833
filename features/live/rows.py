"""Rows of a table as events: all are right, or the first wrong ones are named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from features.live.posted import PostedEvent
from infra.errors import DeliveryError

_ROWS: Final = TypeAdapter(list[PostedEvent])
_SHOWN: Final = 3


def read_rows(rows: Sequence[Mapping[str, object]], latest: datetime, most: int) -> list[PostedEvent]:
    """Rows by column name as events; every one must be right.

    Args:
        latest: no event may be later than this.
        most: how many rows there may be.

    Raises:
        DeliveryError: names the first rows that are wrong, with the column and the reason.
    """
    if len(rows) > most:
        raise DeliveryError(
            f"{len(rows)} events are more than the {most} that are taken at once (api_batch_events); none was stored.",
            "Send them in parts, or deliver a file with 'penchant ingest'.",
        )
    try:
        return _ROWS.validate_python(rows, context={"latest": latest})
    except ValidationError as error:
        errors = error.errors(include_input=False, include_url=False)
        said = "; ".join(_wrong(one["loc"], one) for one in errors[:_SHOWN])
        more = f" (and {len(errors) - _SHOWN} more)" if len(errors) > _SHOWN else ""
        raise DeliveryError(f"No event was stored: {said}{more}.", "Mend these rows, and send all again.") from error


def _wrong(place: Sequence[str | int], error: Mapping[str, Any]) -> str:
    # a ValueError of our own is said as it is, without pydantic's "Value error, "
    reason = error["ctx"]["error"] if error["type"] == "value_error" else error["msg"]
    return f"row {place[0]}{''.join(f', {part}' for part in place[1:])}: {reason}"
