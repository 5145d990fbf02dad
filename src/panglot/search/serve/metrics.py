"""What the server counts, in the text format of Prometheus."""

from collections.abc import AsyncIterator, Mapping

from fastapi import FastAPI
from prometheus_client import CollectorRegistry, Gauge, Histogram, generate_latest
from prometheus_fastapi_instrumentator import Instrumentator, metrics

SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
TEXTS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


class Metrics:
    """Metrics of one server, in a registry of their own, so that a process can have several servers."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.running = Gauge("panglot_requests_running", "Requests being answered", registry=registry)
        self.waiting = Gauge("panglot_requests_waiting", "Requests waiting to be encoded", registry=registry)
        self.texts = Histogram(
            "panglot_batch_texts", "Texts encoded together", buckets=TEXTS, registry=registry
        )
        self.merged = Histogram(
            "panglot_batch_requests", "Requests encoded together", buckets=TEXTS, registry=registry
        )
        self.passages = Gauge("panglot_passages", "Passages in the index", ["language"], registry=registry)

    def observe_batch(self, texts: int, requests: int) -> None:
        """Count a batch of encoded texts."""
        self.texts.observe(texts)
        self.merged.observe(requests)

    def text(self, passages: Mapping[str, int]) -> bytes:
        """Return all metrics, with the number of passages of each language."""
        self.passages.clear()
        for code, count in passages.items():
            self.passages.labels(code).set(count)
        return generate_latest(self.registry)

    async def count_running(self) -> AsyncIterator[None]:
        """Count a request as long as it is being answered; a dependency of FastAPI."""
        with self.running.track_inprogress():
            yield

    def instrument(self, app: FastAPI) -> None:
        """Count the requests of an application, by path and status; nothing that clients write is kept.

        The method would be: it is whatever a client writes, and each value would take memory for ever.
        """
        requests = metrics.requests(
            "panglot_requests",
            "Requests answered",
            should_include_method=False,
            registry=self.registry,
        )
        latency = metrics.latency(
            "panglot_request_seconds",
            "Time to answer",
            should_include_method=False,
            should_include_status=False,
            buckets=SECONDS,
            registry=self.registry,
        )
        counting = Instrumentator(should_group_status_codes=False, registry=self.registry)
        counting.add(requests, latency).instrument(app)
