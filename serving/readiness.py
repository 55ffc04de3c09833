"""Whether the API can do its work: every part is asked."""

from __future__ import annotations

from collections.abc import Callable

from features.live.events import LiveEvents
from features.live.inbox import Inbox
from serving.problems import RETRY_AFTER, Problem
from serving.schemas import Readiness
from serving.view import View

#: Without these the API is not ready; the others are told, and may heal.
NEEDED = ("database", "valkey", "model")


def readiness(view: View, inbox: Inbox, live: LiveEvents) -> Readiness:
    """Every part's state.

    Raises:
        Problem: 503, a needed part is missing; names each part.
    """
    parts = {"database": _asked(inbox.ping), "valkey": _asked(live.ping), **_followed(view)}
    missing = [name for name in NEEDED if parts[name] != "ok" and not (name == "model" and view.served)]
    if missing:
        detail = "; ".join(f"{name}: {parts[name]}" for name in missing)
        raise Problem(503, f"Not ready: {detail}", headers=RETRY_AFTER, extra={"parts": parts})
    return Readiness(status="ready", parts=parts)


def _followed(view: View) -> dict[str, str]:
    """The parts that the follower looks at, as it found them."""
    absent = "the ledger names no champion yet" if view.looked else "still loading"
    model = view.trouble.get("model", "ok" if view.served else view.trouble.get("ledger", absent))
    features = "ok" if view.as_of else "nothing is materialised yet"
    return {
        "ledger": view.trouble.get("ledger", "ok"),
        "model": model,
        "features": view.trouble.get("features", features),
        "live_events": view.trouble.get("live", "ok"),
    }


def _asked(ping: Callable[[], None]) -> str:
    try:
        ping()
    except Exception as error:  # a driver's words may hold an address; its kind says enough
        return f"does not answer ({type(error).__name__})"
    return "ok"
