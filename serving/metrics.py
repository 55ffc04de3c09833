"""What the API counts, for Prometheus; each app has a registry of its own."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

MEDIA_TYPE: Final = CONTENT_TYPE_LATEST
BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Metrics:
    """The API's counters; ``render`` writes them in Prometheus's text format."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        labels = ("method", "route", "status")
        self.requests = Counter("penchant_http_requests", "Requests answered.", labels, registry=self.registry)
        self.seconds = Histogram(
            "penchant_http_request_seconds", "Time to answer.", labels, registry=self.registry, buckets=BUCKETS
        )
        self.fallbacks = Counter(
            "penchant_fallbacks", "Recommendations given without a part.", ("reason",), registry=self.registry
        )
        self.unknown = Counter(
            "penchant_unknown_users", "Recommendations for users never seen.", registry=self.registry
        )
        self.events = Counter(
            "penchant_events", "Events posted, by what became of them.", ("status",), registry=self.registry
        )
        self.live_reads = Counter(
            "penchant_live_reads", "Reads of live events, by where they came from.", ("source",), registry=self.registry
        )
        self.samples = Counter(
            "penchant_samples",
            "Answers sampled to be compared, by what became of them.",
            ("outcome",),
            registry=self.registry,
        )
        self.loads = Counter("penchant_bundle_loads", "Bundles loaded.", ("outcome",), registry=self.registry)
        self._serving: tuple[str, str, str] | None = None
        self.bundle = Gauge(
            "penchant_bundle_info",
            "1 for the bundle that serves, 0 for those before it.",
            ("name", "version", "kind"),
            registry=self.registry,
        )

    def serves(self, name: str, version: int, kind: str) -> None:
        """Say which bundle serves; the one before stays, with 0."""
        # not clear(): Feast switches prometheus_client's multi-process mode on, in which that warns
        if self._serving is not None:
            self.bundle.labels(*self._serving).set(0)
        self._serving = (name, str(version), kind)
        self.bundle.labels(*self._serving).set(1)

    def live_read(self, source: str) -> None:
        self.live_reads.labels(source).inc()

    def render(self) -> bytes:
        return generate_latest(self.registry)
