"""The HTTP servers of the local environment as ASGI apps behind the guard; each is created in its own process."""

from __future__ import annotations

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from pin_pipeline.local.guard import LoopbackGuard
from pin_pipeline.settings import Settings

MINISTACK_ADMIN = ("/_", "/health", "/v2", "/restapis")
"""Prefixes of paths of ministack that are not S3's; one of them deletes all objects."""


def s3() -> ASGIApp:
    """Create the S3 endpoint."""
    from ministack.app import app  # noqa: PLC0415 - each process imports its own app

    return LoopbackGuard(app, hidden=MINISTACK_ADMIN)


def kinesis() -> ASGIApp:
    """Create the Kinesis endpoint."""
    from pin_pipeline.local.kinesis_emulator.app import application  # noqa: PLC0415

    return LoopbackGuard(application())


def gateway() -> ASGIApp:
    """Create the gateway, which pages of the configured origins may call."""
    from pin_pipeline.gateway.app import create_app  # noqa: PLC0415

    origins = Settings.load().gateway_cors_origins
    cors = CORSMiddleware(create_app(), allow_origins=origins, allow_methods=["*"], allow_headers=["*"])
    return LoopbackGuard(cors, origins)


def dashboard() -> ASGIApp:
    """Create the dashboard."""
    from pin_pipeline.dashboard.app import create_app  # noqa: PLC0415

    return LoopbackGuard(create_app())
