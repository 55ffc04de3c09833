"""Where the API's log lines go when uvicorn runs it."""

from __future__ import annotations

import logging


def join_uvicorn() -> None:
    """Send our lines where uvicorn sends its own, and silence its access log: that one names users.

    Does nothing where the embedding program has set up logging itself.
    """
    logging.getLogger("uvicorn.access").disabled = True
    ours, theirs = logging.getLogger("penchant"), logging.getLogger("uvicorn")
    if theirs.handlers and not ours.handlers and not logging.getLogger().handlers:
        ours.handlers = list(theirs.handlers)
        ours.setLevel(theirs.level or logging.INFO)
