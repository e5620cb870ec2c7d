"""What a server counts, in the text format of Prometheus."""

from __future__ import annotations

import os

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

SECONDS = (0.001, 0.002, 0.004, 0.006, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Upper ends of the histogram of durations."""
SHARED = "PROMETHEUS_MULTIPROC_DIR"
"""Environment variable by which prometheus_client names the folder in which several workers count together."""


class Measures:
    """Requests by route and status, their durations, streamed explanations and the exchanges of the model."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # a second row for each counter
        self._registry = CollectorRegistry()
        several = SHARED in os.environ
        own = CollectorRegistry() if several else self._registry
        self.requests = Counter("mmrec_requests", "Requests by route and status.", ["route", "status"], registry=own)
        self.seconds = Histogram(
            "mmrec_request_seconds", "Time to answer, by route.", ["route"], buckets=SECONDS, registry=own
        )
        self.unknown = Counter("mmrec_unknown_ids", "Ids of histories that are not in the catalogue.", registry=own)
        self.swaps = Counter("mmrec_swaps", "Exchanges of the model, by result.", ["result"], registry=own)
        self.written = Counter(
            "mmrec_streamed_explanations", "Streamed explanations, by whose text stood at the end.", ["source"],
            registry=own,
        )  # fmt: skip
        self.waiting = Gauge("mmrec_waiting", "Jobs in the queue.", registry=own, multiprocess_mode="livesum")
        if several:
            MultiProcessCollector(self._registry)  # type: ignore[no-untyped-call]
        else:
            ProcessCollector(registry=self._registry)

    def count(self, route: str, status: int, seconds: float) -> None:
        """Count a request."""
        self.requests.labels(route, str(status)).inc()
        self.seconds.labels(route).observe(seconds)

    def text(self) -> bytes:
        """Return all measures as Prometheus reads them."""
        return generate_latest(self._registry)
