"""What the gateway does, in numbers, for Prometheus."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

router = APIRouter(tags=["health"])
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """The counters of one gateway."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Histogram(
            "gateway_request_seconds",
            "How long requests took.",
            ("method", "route", "status"),
            buckets=SECONDS,
            registry=self.registry,
        )
        self._records = Counter(
            "gateway_records", "Records sent on, and what became of them.", ("to", "outcome"), registry=self.registry
        )

    def watch(self, name: str, description: str, value: Callable[[], float]) -> None:
        """Tell a value as it is when the metrics are read."""
        Gauge(name, description, registry=self.registry).set_function(value)

    def count_records(self, to: str, refused: Sequence[bool]) -> None:
        """Count records that were sent to a topic or a stream, and for each whether it was refused."""
        failures = sum(refused)
        self._records.labels(to, "acknowledged").inc(len(refused) - failures)
        self._records.labels(to, "refused").inc(failures)

    def count_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request that was answered."""
        self._requests.labels(method, route, str(status)).observe(seconds)


class Measured:
    """Counts each request by its route, not by its path: a scanner would make a counter of each path it tries."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and note what it is answered."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 500

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            route = getattr(scope.get("route"), "path", "none")
            self._metrics.count_request(scope["method"], route, status, time.perf_counter() - started)


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def metrics(request: Request) -> Response:
    """Counters in Prometheus's text format."""
    return Response(generate_latest(request.app.state.metrics.registry), media_type=CONTENT_TYPE_LATEST)
