"""Around every request: an id, a count, one log line without the user's id, and headers that harden."""

from __future__ import annotations

import hashlib
import hmac
import logging
import time
from collections.abc import Callable
from typing import Final
from uuid import uuid4

from fastapi import Request
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.metrics import Metrics
from serving.problems import Problem, response

logger = logging.getLogger("penchant.serving")

HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
Pseudonym = Callable[[str], str]


def pseudonym(key: str) -> Pseudonym:
    """A function from a user's id to what the log calls the user: the same each time, and no way back."""

    def name(user_id: str) -> str:
        digest = hmac.new(key.encode(), user_id.encode("utf-8", "replace"), hashlib.sha256)
        return f"u-{digest.hexdigest()[:16]}"

    return name


class Observed:
    """ASGI middleware; whatever is raised inside is logged here and answered with a problem of status 500."""

    def __init__(self, app: ASGIApp, metrics: Metrics, named: Pseudonym) -> None:
        self.app = app
        self.metrics = metrics
        self.named = named

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = str(uuid4())
        scope.setdefault("state", {})["request_id"] = request_id
        begun, status = time.perf_counter(), 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message).update({**HEADERS, "X-Request-ID": request_id})
            await send(message)

        try:
            await self.app(scope, receive, answer)
        except Exception:
            logger.exception("request %s failed", request_id)
            if status:  # too late for another answer
                raise
            problem = Problem(500, "Something went wrong here; the log has it under this instance.")
            await response(Request(scope), problem)(scope, receive, answer)
        finally:
            self._note(scope, status or 499, time.perf_counter() - begun, request_id)

    def _note(self, scope: Scope, status: int, seconds: float, request_id: str) -> None:
        route = getattr(scope.get("route"), "path_format", "unmatched")
        labels = (scope["method"], route, str(status))
        self.metrics.requests.labels(*labels).inc()
        self.metrics.seconds.labels(*labels).observe(seconds)
        user_id = scope.get("path_params", {}).get("user_id")
        user = f" user={self.named(user_id)}" if user_id else ""
        logger.info("%s %s %s %.1fms %s%s", *labels, seconds * 1000, request_id, user)
