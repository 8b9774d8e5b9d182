"""Gateways with a fault, which show that the tests of fairness can fail."""

from __future__ import annotations

import time

from fastapi import FastAPI

from pin_pipeline.gateway.app import create_app
from pin_pipeline.gateway.http import backpressure

STALL_SECONDS = 0.5


def create_stalling_app() -> FastAPI:
    """Create a gateway with a route that occupies the event loop."""
    app = create_app()

    async def stall() -> None:
        time.sleep(STALL_SECONDS)

    app.add_api_route("/stall", stall)
    return app


def create_unlimited_app() -> FastAPI:
    """Create a gateway that does not limit the bytes in flight."""
    backpressure.BytesInFlight.__init__.__defaults__ = (2**40, 0)
    return create_app()
