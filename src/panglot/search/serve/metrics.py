"""What the server counts, in the text format of Prometheus."""

import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
TEXTS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


class Metrics:
    """Counters of one server."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "panglot_requests", "Requests answered", ["path", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "panglot_request_seconds", "Time to answer", ["path"], buckets=SECONDS, registry=self.registry
        )
        self.running = Gauge("panglot_requests_running", "Requests being answered", registry=self.registry)
        self.texts = Histogram(
            "panglot_batch_texts", "Texts encoded together", buckets=TEXTS, registry=self.registry
        )
        self.merged = Histogram(
            "panglot_batch_requests", "Requests encoded together", buckets=TEXTS, registry=self.registry
        )
        self.waiting = Gauge(
            "panglot_requests_waiting", "Requests waiting to be encoded", registry=self.registry
        )
        self.passages = Gauge(
            "panglot_passages", "Passages in the index", ["language"], registry=self.registry
        )

    def observe_batch(self, texts: int, requests: int) -> None:
        """Count a batch of encoded texts."""
        self.texts.observe(texts)
        self.merged.observe(requests)

    def text(self) -> bytes:
        """Return all counters."""
        return generate_latest(self.registry)


def measured(app: ASGIApp, metrics: Metrics) -> ASGIApp:
    """Count what ``app`` answers, by path and status; nothing that clients write is kept."""

    async def measure(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        start = time.perf_counter()
        status = 499  # the client went before it was answered

        async def watched_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        with metrics.running.track_inprogress():
            await app(scope, receive, watched_send)
        path = getattr(scope.get("route"), "path", "other")
        metrics.requests.labels(path, status).inc()
        metrics.seconds.labels(path).observe(time.perf_counter() - start)

    return measure
