"""The assembled API: one of each part, from start to end of the process."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from features.live.events import LiveEvents
from features.live.inbox import Inbox
from features.live.posted import PostedEvent
from features.service import service_name
from infra.settings import Settings
from serving.follower import Follower
from serving.interest import interest_of
from serving.metrics import Metrics
from serving.ports import Parts
from serving.problems import Problem, unavailable
from serving.readiness import readiness
from serving.recommend import Recommender
from serving.samples import Samples
from serving.schemas import Interest, Readiness, Recommendations, ServingModel, Taken
from serving.state import state_of
from serving.take import take_posted
from serving.view import View


class Service:
    """What the routes call; every answer is made from one view of what serves."""

    def __init__(self, parts: Parts, settings: Settings, metrics: Metrics) -> None:
        self.settings = settings
        self.clock = settings.shop_clock()
        self._metrics = metrics
        self._parts = parts
        self._inbox = Inbox(parts.database)
        self._live = LiveEvents(parts.valkey, self._inbox, settings.live_limit, metrics.live_read)
        self._samples = Samples(parts.database, settings, metrics)
        self._recommender = Recommender(parts.store, self._live, settings, metrics, self._samples)
        self.follower = Follower(parts, self._live, settings, self.clock, metrics)

    @property
    def view(self) -> View:
        return self.follower.view

    @property
    def latest(self) -> datetime:
        """No event may be later: clients' clocks may be ahead by the tolerance."""
        return self.clock.now() + timedelta(seconds=self.settings.clock_tolerance_seconds)

    def recommend(self, user_id: str, limit: int, request_id: str) -> Recommendations:
        return self._recommender.recommend(user_id, limit, self.clock.now(), self.view, request_id)

    def interest(self, user_id: str, request_id: str) -> Interest:
        view, now = self.view, self.clock.now()
        try:
            known = state_of(user_id, now, view, self._parts.store, self._live, self.settings)
        except Exception as error:  # a store can fail in many ways; none of them is an empty profile
            raise unavailable("Interest cannot be told now: the feature store does not answer.") from error
        self._samples.offer(request_id, now, known)
        return interest_of(known, view.shelf)

    def take(self, posted: Sequence[PostedEvent]) -> Taken:
        return take_posted(posted, self.clock.now(), self.settings.currency, self._inbox, self._live, self._metrics)

    def model(self) -> ServingModel:
        served = self.view.served
        if served is None:
            raise Problem(404, "No model serves yet; /readyz says why. Until then recommendations are what is popular.")
        meta, holder = served.bundle.meta, served.holder
        return ServingModel(
            name=meta.name,
            version=holder.version,
            kind=meta.kind,
            since=holder.at,
            reason=holder.reason,
            trained_on=meta.data_digest,
            feature_service=service_name(meta.feature_service_version),
            git_commit=meta.git_commit,
            trouble=self.view.trouble.get("model"),
        )

    def ready(self) -> Readiness:
        return readiness(self.view, self._inbox, self._live)

    def start(self) -> None:
        self.follower.start()
        self._samples.start()

    def stop(self) -> None:
        self.follower.stop()
        self._samples.stop()
        self._live.close()
        self._inbox.close()
        self._parts.registry.close()
