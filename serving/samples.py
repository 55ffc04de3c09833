"""A sample of what answers knew, written down aside, so that it can be held against the log afterwards.

An answer does no more than put its state into a queue; a thread turns it into a row and writes it. What does not
fit into the queue is dropped and counted: a database that is slow or down costs samples, never an answer.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from datetime import datetime
from queue import Full, Queue
from threading import Thread
from typing import Final

from sqlalchemy import Engine

from features.state_table import values_of
from features.views import SERVICE
from infra.served import Served, keep
from infra.settings import Settings
from serving.metrics import Metrics
from serving.state import Known

logger = logging.getLogger("penchant.serving")

WAITING: Final = 100
_STOP_SECONDS: Final = 10


@dataclass(frozen=True)
class Sample:
    """An answer that waits to be written: what it knew, and when by the shop's clock it was asked for."""

    request_id: str
    at: datetime
    known: Known


def sampled(request_id: str, share: float) -> bool:
    """Whether this request is one of the ``share`` that are kept: the same id gives the same answer."""
    digest = hashlib.sha256(request_id.encode()).digest()
    return int.from_bytes(digest[:8], "big") < share * 2**64


class Samples:
    """Keeps a share of the answers in the table ``served``, through an engine that belongs to another."""

    def __init__(self, database: Engine, settings: Settings, metrics: Metrics) -> None:
        self._database = database
        self._settings = settings
        self._metrics = metrics
        self._queue: Queue[Sample | None] = Queue(WAITING)
        self._ended = False
        self._thread = Thread(target=self._run, name="samples", daemon=True)

    def offer(self, request_id: str, at: datetime, known: Known) -> None:
        """Keep what an answer knew, if its turn has come; one that was told as degraded is not kept."""
        if not known.complete or known.as_of is None or not sampled(request_id, self._settings.skew_sample_share):
            return
        try:
            self._queue.put_nowait(Sample(request_id, at, known))
        except Full:
            self._count("dropped")

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Finish the row that is being written; what waits behind it is dropped."""
        self._ended = True
        if not self._thread.is_alive():
            return
        try:
            self._queue.put(None, timeout=_STOP_SECONDS)
            self._thread.join(_STOP_SECONDS)
        except Full:
            logger.warning("samples: the database does not let go, what waits is lost")

    def _run(self) -> None:
        while (sample := self._queue.get()) is not None:
            if self._ended:
                self._count("dropped")
                continue
            try:
                self._count("kept" if keep(self._database, self._settings, _row(sample)) else "beyond_bound")
            except Exception as error:  # one that cannot be written must not end the others
                self._count("failed")
                logger.warning("a sample cannot be kept: %s", type(error).__name__)

    def _count(self, outcome: str) -> None:
        self._metrics.samples.labels(outcome).inc()


def _row(sample: Sample) -> Served:
    known = sample.known
    assert known.as_of is not None  # noqa: S101 (such a sample is not offered)
    return Served(
        request_id=sample.request_id,
        user_id=known.state.user_id,
        at=sample.at,
        moment=known.moment,
        as_of=known.as_of,
        seen=list(known.seen),
        feature_service=SERVICE,
        features=values_of(known.state),
    )
