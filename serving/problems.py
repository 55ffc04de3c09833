"""Errors as documents: RFC 9457, ``application/problem+json``, for every answer that is not a success."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

MEDIA_TYPE: Final = "application/problem+json"
RETRY_AFTER: Final = {"Retry-After": "5"}
#: A document lists at most so many fields; ``errors_total`` counts all.
LISTED: Final = 20
#: A field's name may come from the client, and be as long as the body.
PLACE_LENGTH: Final = 200


class Problem(Exception):
    """An answer that is an error.

    Args:
        status: the HTTP status.
        detail: what is wrong with this request and how to mend it, for a person.
        headers: further headers of the answer.
        extra: further members of the document.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})
        self.extra = dict(extra or {})


class FieldError(BaseModel):
    """What is wrong with one field."""

    field: str = Field(description="where: a parameter, or a path into the body such as [3].rating")
    message: str


class ProblemDocument(BaseModel):
    """RFC 9457; ``type`` is about:blank, so ``title`` is the status in words."""

    model_config = ConfigDict(extra="allow")

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    instance: str = Field(description="this occurrence; the log names it too")
    errors: list[FieldError] | None = None


def unavailable(detail: str) -> Problem:
    """503: a part that this request needs is down; trying again is safe."""
    return Problem(503, detail, headers=RETRY_AFTER)


def invalid(errors: Sequence[FieldError]) -> Problem:
    """422: the request can be read, but not taken."""
    listed = errors[:LISTED]
    said = "; ".join(f"{error.field}: {error.message}" for error in listed[:3])
    more = f" (and {len(errors) - 3} more)" if len(errors) > 3 else ""
    extra = {"errors": [error.model_dump() for error in listed], "errors_total": len(errors)}
    return Problem(422, f"{said}{more}", extra=extra)


def field_errors(errors: Iterable[Any], skip: int = 0) -> list[FieldError]:
    """Pydantic's errors without the input; ``skip`` leading parts of each place are left out."""
    return [FieldError(field=_place(error["loc"][skip:]), message=_message(error)) for error in errors]


def response(request: Request, problem: Problem) -> JSONResponse:
    """The answer that ``problem`` stands for."""
    document = {
        "type": "about:blank",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": problem.detail,
        "instance": f"urn:uuid:{request.state.request_id}",
        **problem.extra,
    }
    return JSONResponse(document, problem.status, headers=problem.headers, media_type=MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Let ``app`` answer errors as documents; exceptions nobody expects are the middleware's."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(RequestValidationError, _invalid_parameters)
    app.add_exception_handler(HTTPException, _http)


async def _problem(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Problem)  # noqa: S101 (what the handler is registered for)
    return response(request, error)


async def _invalid_parameters(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    return response(request, invalid(field_errors(error.errors(), skip=1)))


async def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101
    known = {404: "There is nothing at this address; /docs lists what there is.", 405: "Not with this method."}
    detail = known.get(error.status_code, str(error.detail))
    return response(request, Problem(error.status_code, detail, headers=error.headers))


def _place(location: Sequence[str | int]) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return text.removeprefix(".")[:PLACE_LENGTH] or "body"


def _message(error: Mapping[str, Any]) -> str:
    # a ValueError of our own is said as it is, without pydantic's "Value error, "
    return str(error["ctx"]["error"]) if error["type"] == "value_error" else str(error["msg"])
