"""The API's addresses. Endpoints that wait for a server run in threads; the event loop stays free."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter
from starlette.convertors import Convertor, register_url_convertor

from features.live.posted import Identifier
from serving import metrics
from serving.posted import body_schema, read_events
from serving.problems import MEDIA_TYPE, Problem, ProblemDocument
from serving.schemas import Health, Interest, Readiness, Recommendations, ServingModel, Taken
from serving.service import Service

LIMIT: Final = (1, 100)


class AnyText(Convertor[str]):
    """A part of a path that may hold slashes and line ends: ids are the caller's, and are checked later."""

    regex = "(?s:.*)"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("text", AnyText())
router = APIRouter()


def _in_range(value: int) -> int:
    least, most = LIMIT
    if not least <= value <= most:
        raise ValueError(f"must be from {least} to {most}, not {value}")
    return value


class Page(BaseModel):
    """Query parameters of a list; others are refused, so that a slip is not silently ignored."""

    model_config = ConfigDict(extra="forbid")

    limit: Annotated[int, AfterValidator(_in_range)] = Field(
        10,
        description="How many items at most, 1 to 100.",
        json_schema_extra={"minimum": LIMIT[0], "maximum": LIMIT[1]},
    )


UserId = Annotated[
    Identifier, Path(description="1 to 256 characters, none of them a control character.", examples=["13085"])
]


def service(request: Request) -> Service:
    found: Service = request.app.state.service
    return found


async def request_id(request: Request) -> str:
    """The id that the answer's header ``X-Request-ID`` says."""
    found: str = request.state.request_id
    return found


Serving = Annotated[Service, Depends(service)]
RequestId = Annotated[str, Depends(request_id)]


async def body(request: Request, serving: Serving) -> bytes:
    """The request's body, if it is JSON by its own account and not too long."""
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
        raise Problem(415, "Events are posted as application/json.", headers={"Accept": "application/json"})
    most, content = serving.settings.api_body_bytes, bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > most:
            raise Problem(413, f"The body is longer than {most} bytes: post fewer events at a time.")
    return bytes(content)


def _problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}}
    return {status: {"description": _SAID[status], "content": content} for status in statuses}


_SAID: Final = {
    400: "The body is not JSON.",
    404: "There is none.",
    409: "An event's id belongs to another event already; nothing was stored.",
    413: "The body is too long.",
    415: "The body is not application/json.",
    422: "A parameter or a field is wrong; each is named. Nothing was stored.",
    503: "A part that this needs is down; try again after Retry-After seconds.",
}


@router.get("/v1/users/{user_id:text}/recommendations", tags=["users"], responses=_problems(422))
def recommendations(
    user_id: UserId, page: Annotated[Page, Query()], serving: Serving, request: RequestId
) -> Recommendations:
    """Items for a user, the best first, each with the reason for it.

    Features of the last closed day, and all events since, are taken into account. A user never seen
    gets what is popular. When a part is down the answer is degraded, and `fallback` says how.
    """
    return serving.recommend(user_id, page.limit, request)


@router.get("/v1/users/{user_id:text}/interest", tags=["users"], responses=_problems(422, 503))
def interest(user_id: UserId, serving: Serving, request: RequestId) -> Interest:
    """What a user is interested in now, by category: how strongly, at which share, rising or falling."""
    return serving.interest(user_id, request)


@router.post(
    "/v1/events",
    tags=["events"],
    status_code=202,
    responses=_problems(400, 409, 413, 415, 422, 503),
    openapi_extra={"requestBody": {"required": True, "content": {"application/json": {"schema": body_schema(1000)}}}},
)
def events(content: Annotated[bytes, Depends(body)], serving: Serving) -> Taken:
    """Post one event, or a list of them: all are stored, or none.

    Once this answers they are durable, and the next answer about their users knows them. Events with
    an `event_id` of your own can be sent again: the same event twice counts once.
    """
    return serving.take(read_events(content, serving.latest, serving.settings.api_batch_events))


@router.get("/v1/model", tags=["model"], responses=_problems(404))
def model(serving: Serving) -> ServingModel:
    """What serves: name, version and kind, since when, and why."""
    return serving.model()


@router.get("/healthz", tags=["operation"])
async def healthz() -> Health:
    """Whether the process lives; asks nobody else."""
    return Health(status="ok")


@router.get("/readyz", tags=["operation"], responses=_problems(503))
def readyz(serving: Serving) -> Readiness:
    """Whether a bundle is loaded, and PostgreSQL and Valkey answer; names every part."""
    return serving.ready()


@router.get("/metrics", tags=["operation"], response_class=Response, responses={200: {"content": {"text/plain": {}}}})
def measured(request: Request) -> Response:
    """Counters in Prometheus's text format."""
    return Response(request.app.state.metrics.render(), media_type=metrics.MEDIA_TYPE)


def problem_schema() -> dict[str, Any]:
    """The schema of every error, for OpenAPI's components."""
    return TypeAdapter(ProblemDocument).json_schema(ref_template="#/components/schemas/{model}")
