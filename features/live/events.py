"""Events since the last closed day: a set per user in Valkey, in front of the inbox, which is the truth.

The set counts only while its key ``whole`` is there and no writer is ``pending`` (``features.live.keys``). A
writer takes ``whole`` away and announces itself before it commits, and gives both back with its
events; so if it dies in between, or Valkey loses what it held, the next read goes to the inbox and
fills the set again. Where Valkey cannot be told even that, this process remembers the user and reads
the inbox, until Valkey has been told.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any, Protocol

import redis

from features.live.event import LiveEvent
from features.live.inbox import DOWN
from features.live.keys import FILL, PENDING_SECONDS, SET_SECONDS, SETTLE, WHOLE_SECONDS, keys

logger = logging.getLogger("penchant.live")

#: Told of each read where its events came from: ``valkey``, ``inbox``, or ``incomplete``.
Count = Callable[[str], None]


class Truth(Protocol):
    """Where all events are: the inbox."""

    def since(self, user_id: str, since_us: int, most: int) -> list[LiveEvent]: ...


@dataclass(frozen=True)
class Recent:
    """A user's events, oldest first; not ``complete``: the inbox was needed and did not answer."""

    events: list[LiveEvent]
    complete: bool


@dataclass(frozen=True)
class Announced:
    """Users whom a writer announced, each with the ``whole`` that it took away (empty: there was none).

    ``told`` is false where Valkey did not answer, so that only this process knows.
    """

    taken: Mapping[str, bytes]
    told: bool


class LiveEvents:
    """Reads and writes live events; ``limit`` events of a user are kept, the last ones."""

    def __init__(self, client: redis.Redis, truth: Truth, limit: int, count: Count = lambda _: None) -> None:
        self._client = client
        self._truth = truth
        self._limit = limit
        self._count = count
        self._fill = client.register_script(FILL)
        self._settle = client.register_script(SETTLE)
        self._untold: Counter[str] = Counter()  # writers at work by user; zero: done, Valkey still to be told
        self._lock = Lock()

    def recent(self, user_id: str, since_us: int) -> Recent:
        """Events of ``user_id`` at or after ``since_us``, the end of the last closed day."""
        cached = self._cached(user_id, since_us)
        if cached is not None and cached.complete:
            self._count("valkey")
            return cached
        try:
            events = self._truth.since(user_id, since_us, self._limit)
        except DOWN:
            logger.warning("live events: the inbox does not answer, giving what Valkey holds")
            self._count("incomplete")
            return cached or Recent([], complete=False)
        self._count("inbox")
        if cached is not None and user_id not in self._untold:
            self._refill(user_id, since_us, events)
        return Recent(events, complete=True)

    def announce(self, users: Iterable[str]) -> Announced:
        """Say, before a commit, that these users' sets are about to lack events."""
        names = sorted(set(users))
        try:
            with self._client.pipeline(transaction=True) as pipeline:
                for name in names:
                    _, whole, pending = keys(name)
                    pipeline.getdel(whole)
                    pipeline.incr(pending)
                    pipeline.expire(pending, PENDING_SECONDS)
                answers = pipeline.execute()
        except redis.RedisError:
            logger.warning("live events: Valkey does not answer, %d users will be read from the inbox", len(names))
            with self._lock:
                self._untold.update(names)
            return Announced(dict.fromkeys(names, b""), told=False)
        return Announced({name: answers[3 * place] or b"" for place, name in enumerate(names)}, told=True)

    def settle(self, announced: Announced, events: Mapping[str, Sequence[LiveEvent]]) -> None:
        """Add what was committed, and give back what ``announce`` took; a failure is made good by the next read."""
        if not announced.told:
            self.abandon(announced)
            return
        try:
            for name, whole in announced.taken.items():
                self._settle(keys(name), self._arguments(events.get(name, ()), whole))
        except redis.RedisError:
            logger.warning("live events: Valkey stopped answering, the sets are filled again when they are read")

    def abandon(self, announced: Announced) -> None:
        """End a write that may have been committed or not: the next read of these users asks the inbox."""
        if not announced.told:
            with self._lock:
                self._untold.subtract(list(announced.taken))

    def tell(self) -> None:
        """Take back ``whole`` from users whom Valkey could not be told about; raises RedisError while it cannot."""
        with self._lock:
            names = sorted(name for name, writers in self._untold.items() if writers == 0)
        for name in names:
            self._client.delete(keys(name)[1])
            with self._lock:
                if self._untold[name] == 0:
                    del self._untold[name]

    def ping(self) -> None:
        self._client.ping()

    def close(self) -> None:
        self._client.close()

    def _cached(self, user_id: str, since_us: int) -> Recent | None:
        """What Valkey holds; None: it does not answer."""
        held, whole, pending = keys(user_id)
        try:
            with self._client.pipeline(transaction=True) as pipeline:
                pipeline.get(whole)
                pipeline.exists(pending)
                pipeline.zrangebyscore(held, since_us, "+inf")
                since, waiting, members = pipeline.execute()
        except redis.RedisError:
            return None
        complete = since is not None and int(since) <= since_us and not waiting and user_id not in self._untold
        return Recent(sorted(LiveEvent.of_member(member) for member in members), complete)

    def _refill(self, user_id: str, since_us: int, events: Sequence[LiveEvent]) -> None:
        try:
            self._fill(keys(user_id), self._arguments(events, str(since_us).encode()))
        except redis.RedisError:
            logger.warning("live events: Valkey stopped answering, the next read goes to the inbox again")

    def _arguments(self, events: Sequence[LiveEvent], whole: bytes) -> list[Any]:
        scored = [part for event in events[-self._limit :] for part in (event.occurred_us, event.member())]
        return [self._limit, SET_SECONDS, whole, WHOLE_SECONDS, *scored]
