"""Events as clients post them: the strict reading of a body."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json

from features.live.posted import PostedEvent
from serving.problems import FieldError, Problem, field_errors, invalid

_ONE: Final = TypeAdapter(PostedEvent)
_MANY: Final = TypeAdapter(list[PostedEvent])


def read_events(body: bytes, latest: datetime, most: int) -> Sequence[PostedEvent]:
    """The events of a request's body: one, or a list.

    Args:
        latest: no event may be later than this.
        most: how many events a list may hold.

    Raises:
        Problem: 400, not JSON; 422, JSON that is no event of ours, with every field that is wrong.
    """
    try:
        content = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise Problem(400, f"The body is not JSON: {error}.") from error
    if isinstance(content, list) and not 1 <= len(content) <= most:
        raise invalid([FieldError(field="body", message=f"a list must hold 1 to {most} events, not {len(content)}")])
    context = {"latest": latest}
    try:
        if isinstance(content, list):
            return _MANY.validate_json(body, context=context)
        return [_ONE.validate_json(body, context=context)]
    except ValidationError as error:
        raise invalid(field_errors(error.errors(include_input=False, include_url=False))) from error


def body_schema(most: int) -> dict[str, Any]:
    """The request body in OpenAPI: an event, or a list of them."""
    event = PostedEvent.model_json_schema()
    return {"anyOf": [event, {"type": "array", "items": event, "minItems": 1, "maxItems": most}]}
