"""The gateway as an ASGI app: `uvicorn pin_pipeline.gateway.app:app --host 127.0.0.1 --port 8082`."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from pin_pipeline import settings as environment
from pin_pipeline.gateway.errors import add_error_handlers
from pin_pipeline.gateway.http import metrics
from pin_pipeline.gateway.http.auth import Authentication, Callers
from pin_pipeline.gateway.http.backpressure import InFlight
from pin_pipeline.gateway.http.metrics import Measured, Metrics
from pin_pipeline.gateway.http.stage_prefix import StagePrefix
from pin_pipeline.gateway.kafka.broker import KafkaBroker
from pin_pipeline.gateway.kafka.consumer_instances import Consumers
from pin_pipeline.gateway.kinesis import KinesisProxy
from pin_pipeline.gateway.routes import consumers, health, records, streams, topics

# Objects that are made before Python looks for cycles among them; 700 are less than one request of a hundred records.
GARBAGE = 10_000


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.settings = environment.load()
    settings = app.state.settings
    app.state.in_flight = InFlight()
    app.state.broker = KafkaBroker(settings.kafka)
    app.state.consumers = Consumers(settings.kafka)
    app.state.kinesis = KinesisProxy(settings.kinesis_endpoint_url, settings.region)
    app.state.callers = Callers.of_environment(settings.region)
    app.state.metrics.watch("gateway_in_flight_bytes", "What waits for Kafka or Kinesis.", app.state.in_flight.size)
    app.state.metrics.watch("gateway_consumers", "Consumer instances that are kept.", app.state.consumers.count)
    # What is there by now stays, and requests leave no cycles behind: the collector has little to look for.
    gc.freeze()
    gc.set_threshold(GARBAGE)
    yield
    app.state.kinesis.close()
    await app.state.consumers.close()
    await app.state.broker.close()


def create_app() -> FastAPI:
    """The app; it reads the environment when it starts, and connects to the broker when first asked."""
    routers = (topics.router, consumers.router, streams.router, records.router(), health.router, metrics.router)
    app = FastAPI(
        title="pin_pipeline gateway",
        summary="The front door: Kafka REST (v2), Kinesis over REST, and plain records.",
        lifespan=_lifespan,
        # Not by `include_router`, which would look for the route of every request twice.
        routes=[route for router in routers for route in router.routes],
        # What is measured is told by `metrics`.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.metrics = Metrics()
    add_error_handlers(app)
    # The last one added is the first that a request comes to.
    app.add_middleware(Authentication)
    app.add_middleware(Measured, metrics=app.state.metrics)
    pages = filter(None, (app.openapi_url, app.docs_url, app.redoc_url))
    app.add_middleware(StagePrefix, paths=[*app.openapi()["paths"], *pages])
    return app


app = create_app()
