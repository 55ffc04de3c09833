"""Follows the ledger and the features: what serves is made aside, and swapped in at once."""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from datetime import datetime
from threading import Event, Thread
from typing import Final

import pyarrow as pa

from features.events.schema import CATEGORY, ITEM_ID
from features.live.events import LiveEvents
from infra.clock import Clock
from infra.settings import Settings
from serving.metrics import Metrics
from serving.ports import Holder, ItemStats, Parts
from serving.rank import candidate_stats, warm
from serving.same_features import require_same_features
from serving.shelf import Shelf
from serving.view import Served, View

logger = logging.getLogger("penchant.serving")

#: A bundle that failed to load is tried again after so many looks at the ledger.
PATIENCE: Final = 10


class Follower:
    """Keeps ``view`` true from a thread of its own; a part that fails leaves what was there."""

    def __init__(self, parts: Parts, live: LiveEvents, settings: Settings, clock: Clock, metrics: Metrics) -> None:
        self._parts = parts
        self._live = live
        self._settings = settings
        self._clock = clock
        self._metrics = metrics
        self._ended = Event()
        self._thread = Thread(target=self._run, name="follower", daemon=True)
        self._failed: tuple[int, float] | None = None  # the ledger entry whose bundle failed, and when to try again
        self._stats: ItemStats = ((), {})
        self._made_for: tuple[object, ...] = ()
        self.view = View()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(timeout=30)

    def look(self) -> None:
        """Look once at the ledger, the store and the live events' arrears, and swap the view."""
        trouble: dict[str, str] = {}
        served = self._served(trouble)
        as_of = self._as_of(trouble)
        view = self._furnished(served, as_of, trouble)
        self._arrears(trouble)
        self.view = replace(view, looked=True, trouble=trouble)

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                self.look()
            except Exception:  # what it looks at cannot fail here; if it does, following must not end
                logger.exception("the follower stumbled")
            self._ended.wait(self._settings.api_poll_seconds)

    def _served(self, trouble: dict[str, str]) -> Served | None:
        now = self.view.served
        try:
            holder = self._parts.registry.champion()
        except Exception as error:
            self._note(trouble, "ledger", error)
            return now
        if holder is None or (now is not None and now.holder.id == holder.id):
            return now if holder is not None else None
        if self._failed is not None and self._failed[0] == holder.id and time.monotonic() < self._failed[1]:
            trouble["model"] = self.view.trouble.get("model", "its bundle could not be loaded")
            return now
        return self._load(holder, trouble) or now

    def _load(self, holder: Holder, trouble: dict[str, str]) -> Served | None:
        try:
            bundle = self._parts.load(self._parts.registry.download(holder.version))
            require_same_features(bundle.meta, self._settings)
            warm(bundle, self._settings.api_candidates)
        except Exception as error:  # whatever a bundle does wrong, what serves goes on serving
            self._failed = (holder.id, time.monotonic() + PATIENCE * self._settings.api_poll_seconds)
            self._metrics.loads.labels("failed").inc()
            self._note(trouble, "model", error, f"version {holder.version} could not be loaded: ")
            return None
        self._failed = None
        self._metrics.loads.labels("loaded").inc()
        self._metrics.serves(bundle.meta.name, holder.version, bundle.meta.kind)
        logger.info("serving %s, version %d", bundle.meta.name, holder.version)
        return Served(holder, bundle)

    def _as_of(self, trouble: dict[str, str]) -> datetime | None:
        try:
            return self._parts.store.materialised_through()
        except Exception as error:
            self._note(trouble, "features", error)
            return self.view.as_of

    def _furnished(self, served: Served | None, as_of: datetime | None, trouble: dict[str, str]) -> View:
        """The view of ``served`` with shelf and statistics: those there are, while nothing they depend on changed."""
        now = self._clock.now()
        bundle = served.bundle if served else None
        made_for = (served, as_of, now.astimezone(self._settings.zone).date())
        if made_for == self._made_for:
            return replace(self.view, served=served, as_of=as_of)
        try:
            self._stats = self._parts.store.item_stats(now)
            self._made_for = made_for
        except Exception as error:
            self._note(trouble, "features", error)
        items = self._items(now, trouble)
        categories = self.view.categories if items is None else _categories(items)
        if bundle is None:
            shelf = self.view.shelf if items is None else Shelf.of(items, self._stats, self._settings.window_days)
            return View(None, shelf, None, as_of, categories)
        shelf = Shelf.of(bundle.items, self._stats, bundle.meta.window_days)
        return View(served, shelf, candidate_stats(bundle, self._stats), as_of, categories)

    def _items(self, now: datetime, trouble: dict[str, str]) -> pa.Table | None:
        """What the lake knows about items: without a champion all that there is, with one what came after it."""
        try:
            return self._parts.items(now)
        except Exception as error:
            self._made_for = ()
            self._note(trouble, "catalogue", error)
            return None

    def _arrears(self, trouble: dict[str, str]) -> None:
        try:
            self._live.tell()
        except Exception as error:
            self._note(trouble, "live", error)

    def _note(self, trouble: dict[str, str], part: str, error: Exception, before: str = "") -> None:
        """Write down what is wrong with a part; the log hears of it once."""
        trouble[part] = f"{before}{error}"
        if self.view.trouble.get(part) != trouble[part]:
            logger.warning("%s: %s%s: %s", part, before, type(error).__name__, error)


def _categories(items: pa.Table) -> dict[str, str]:
    return dict(zip(items[ITEM_ID].to_pylist(), items[CATEGORY].to_pylist(), strict=True))
