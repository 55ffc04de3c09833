"""Assembles the API: ``uvicorn --factory serving.app:create_app``."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from importlib.metadata import version
from typing import Any, Final

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline
from starlette.concurrency import run_in_threadpool

from infra.secrets import secret
from infra.settings import Settings, load_settings
from serving.logs import join_uvicorn
from serving.metrics import Metrics
from serving.observe import Observed, pseudonym
from serving.ports import Parts
from serving.problems import install
from serving.routes import problem_schema, router
from serving.service import Service

DESCRIPTION: Final = """
What the shop's users are interested in, and what to show them.

Post behaviour to `/v1/events`; it counts from the next answer on. Every error is an
[RFC 9457](https://www.rfc-editor.org/rfc/rfc9457) problem document. Prices are in minor units, times in ISO 8601.

The same for programs: [openapi.json](/openapi.json).
"""

Connect = Callable[[Settings], Parts]


def create_app(settings: Settings | None = None, connect: Connect | None = None) -> FastAPI:
    """The API, not started yet.

    Args:
        settings: by default those of the home folder.
        connect: opens the parts outside the process; by default the real ones.
    """
    settings = settings or load_settings()
    metrics = Metrics()
    app = FastAPIOffline(  # /docs brings its script along: it works where the internet does not reach
        title="Penchant",
        version=version("penchant"),
        description=DESCRIPTION,
        lifespan=partial(_lifespan, settings, connect or _connect, metrics),
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.metrics = metrics
    app.include_router(router)
    app.add_middleware(Observed, metrics=metrics, named=pseudonym(secret(settings, "log_key")))
    install(app)
    app.openapi = partial(_openapi, app, app.openapi)  # type: ignore[method-assign]
    return app


@asynccontextmanager
async def _lifespan(settings: Settings, connect: Connect, metrics: Metrics, app: FastAPI) -> AsyncIterator[None]:
    join_uvicorn()
    service = Service(await run_in_threadpool(connect, settings), settings, metrics)
    app.state.service = service
    service.start()
    try:
        yield
    finally:
        await run_in_threadpool(service.stop)


def _connect(settings: Settings) -> Parts:
    from serving.connect import connect

    return connect(settings)


def _openapi(app: FastAPI, generate: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """FastAPI's schema, with our own error document in place of its validation errors."""
    schema = app.openapi_schema or generate()
    components = schema["components"]["schemas"]
    components.pop("HTTPValidationError", None)
    components.pop("ValidationError", None)
    problem = problem_schema()
    components |= problem.pop("$defs", {})
    components["ProblemDocument"] = problem
    return schema
