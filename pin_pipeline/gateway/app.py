"""The gateway as an ASGI app, which `pin_pipeline.gateway.server` serves."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from pin_pipeline.gateway.http.auth import ApiKeyMiddleware, Callers
from pin_pipeline.gateway.http.backpressure import BytesInFlight
from pin_pipeline.gateway.http.error_handlers import add_error_handlers
from pin_pipeline.gateway.http.metrics import GatewayMetrics, RequestMetricsMiddleware
from pin_pipeline.gateway.http.paths import PathMiddleware
from pin_pipeline.gateway.kafka.broker import KafkaBroker
from pin_pipeline.gateway.kafka.consumer_instances import ConsumerInstances
from pin_pipeline.gateway.kinesis import KinesisProxy
from pin_pipeline.gateway.routes import consumers, health, partitions, records, streams, topics
from pin_pipeline.settings import Settings

GC_THRESHOLD = 10_000
"""Allocations between garbage collections; Python's default, 700, is reached by one request of a hundred records."""


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.settings = Settings.load()
    settings = app.state.settings
    app.state.in_flight = BytesInFlight()
    app.state.broker = KafkaBroker(settings.kafka)
    app.state.consumers = ConsumerInstances(settings.kafka)
    app.state.kinesis = KinesisProxy(settings.kinesis_endpoint_url, settings.region)
    app.state.callers = Callers(settings.gateway_api_keys)
    app.state.metrics.add_gauge(
        "gateway_in_flight_bytes", "Bytes in flight to Kafka or Kinesis.", app.state.in_flight.size
    )
    app.state.metrics.add_gauge("gateway_consumers", "Consumer instances.", app.state.consumers.count)
    # Objects created until here live as long as the process, and requests create no reference cycles.
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD)
    yield
    app.state.kinesis.close()
    await app.state.consumers.close()
    await app.state.broker.close()


def create_app() -> FastAPI:
    """Create the app. It reads the settings when it starts, and connects to the broker on first use."""
    routers = (
        topics.router,
        partitions.router,
        consumers.router,
        streams.router,
        records.create_router(),
        health.router,
    )
    app = FastAPI(
        title="pin_pipeline gateway",
        summary="HTTP gateway to Kafka and Kinesis: Kafka REST API v2, Kinesis, and plain records.",
        lifespan=_lifespan,
        # Instead of `include_router`, with which each request would be matched against the routes twice.
        routes=[route for router in routers for route in router.routes],
        redirect_slashes=False,
        # `http.metrics` measures requests.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.metrics = GatewayMetrics()
    add_error_handlers(app)
    # Requests pass the middlewares in reverse order: the one added last comes first.
    app.add_middleware(ApiKeyMiddleware)
    app.add_middleware(RequestMetricsMiddleware, metrics=app.state.metrics)
    pages = filter(None, (app.openapi_url, app.docs_url, app.redoc_url))
    app.add_middleware(PathMiddleware, paths=[*app.openapi()["paths"], *pages])
    return app
