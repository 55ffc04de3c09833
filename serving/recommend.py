"""Recommendations for one user: known, ranked, explained; or what is popular, and why that."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from features.live.events import LiveEvents
from features.state import UserState, from_row
from infra.settings import Settings
from serving.explain import Explainer
from serving.metrics import Metrics
from serving.ports import Store
from serving.rank import Ranked, rank
from serving.retrieve import candidates
from serving.samples import Samples
from serving.schemas import Price, Recommendation, Recommendations, ServedModel
from serving.shelf import Item
from serving.state import Known, state_of
from serving.view import Served, View

logger = logging.getLogger("penchant.serving")

Fallback = Literal["no_model", "no_features", "model_failed", "live_events_incomplete"]
NO_ATTENTION: Final = np.zeros(0, dtype=np.float32)


class Recommender:
    """Answers from the view that it is given; nothing here waits for the ledger or for MLflow."""

    def __init__(self, store: Store, live: LiveEvents, settings: Settings, metrics: Metrics, samples: Samples) -> None:
        self._store = store
        self._live = live
        self._settings = settings
        self._metrics = metrics
        self._samples = samples

    def recommend(self, user_id: str, limit: int, now: datetime, view: View, request_id: str) -> Recommendations:
        """At most ``limit`` items for ``user_id``; fewer only where the shop has fewer."""
        fallback: Fallback | None = None if view.served else "no_model"
        try:
            known = state_of(user_id, now, view, self._store, self._live, self._settings)
        except Exception as error:  # whatever is wrong with the store, the answer is what is popular
            logger.warning("features cannot be read: %s: %s", type(error).__name__, error)
            known, fallback = self._nobody(user_id, view), fallback or "no_features"
        else:
            self._samples.offer(request_id, now, known)
        ranked: Sequence[Ranked] = ()
        if known.state.known and view.served is not None:
            ranked, failed = self._ranked(known.state, view.served, view)
            fallback = fallback or failed
        if not known.complete:
            fallback = fallback or "live_events_incomplete"
        self._count(known, fallback)
        items = self._listed(known.state, ranked[:limit] or _popular(view, limit), view)
        return Recommendations(
            user_id=user_id,
            known=known.state.known,
            model=_model(view.served) if ranked else None,
            moment=max(now, known.moment),
            as_of=known.as_of,
            degraded=fallback is not None,
            fallback=fallback,
            items=items,
        )

    def _ranked(self, state: UserState, served: Served, view: View) -> tuple[Sequence[Ranked], Fallback | None]:
        size = self._settings.api_candidates
        chosen = candidates(state, view.shelf, size)
        try:
            return rank(served.bundle, _stats(view), state, chosen, size), None
        except Exception:  # a model that fails for one user must not leave the user without an answer
            logger.exception("%s cannot rank", served.bundle.meta.name)
            return (), "model_failed"

    def _listed(self, state: UserState, ranked: Sequence[Ranked], view: View) -> list[Recommendation]:
        explainer = Explainer(state, view.shelf)
        return [self._recommendation(view.shelf.items[one.item_id], one, explainer) for one in ranked]

    def _recommendation(self, item: Item, ranked: Ranked, explainer: Explainer) -> Recommendation:
        reason = explainer.reason(item.item_id, ranked.attention)
        price = None if item.price is None else Price(amount=item.price, currency=self._settings.currency)
        return Recommendation(
            item_id=item.item_id,
            title=item.title,
            category=item.category or None,
            price=price,
            score=None if np.isnan(ranked.score) else ranked.score,
            reason=reason.text,
            because=reason,
        )

    def _nobody(self, user_id: str, view: View) -> Known:
        window_days, half_life_days = self._settings.window_days, self._settings.half_life_days
        return Known(from_row(user_id, {}, window_days, half_life_days), view.as_of, complete=True)

    def _count(self, known: Known, fallback: Fallback | None) -> None:
        if fallback is not None:
            self._metrics.fallbacks.labels(fallback).inc()
        elif not known.state.known:
            self._metrics.unknown.inc()


def _popular(view: View, limit: int) -> list[Ranked]:
    """What is popular, in the order of the shelf; no model scored it."""
    return [Ranked(item, float("nan"), NO_ATTENTION) for item in view.shelf.popular[:limit]]


def _stats(view: View) -> NDArray[np.float32]:
    assert view.stats is not None  # noqa: S101 (a view with a bundle has them)
    return view.stats


def _model(served: Served | None) -> ServedModel | None:
    if served is None:
        return None
    meta = served.bundle.meta
    return ServedModel(name=meta.name, version=served.holder.version, kind=meta.kind)
