"""ASGI app of the dashboard: `uvicorn pin_pipeline.dashboard.app:app --host 127.0.0.1 --port 8083`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.staticfiles import StaticFiles

from pin_pipeline.dashboard.polled_source import PolledResult, PolledSource
from pin_pipeline.dashboard.realtime import RealtimeCounts, read_realtime
from pin_pipeline.dashboard.tables import TableProgress, TableReader
from pin_pipeline.dashboard.windows import Window
from pin_pipeline.settings import Settings
from pin_pipeline.storage.lake import LakeError
from pin_pipeline.storage.postgres import Postgres, PostgresError

PAGE = Path(__file__).parent / "page"


@dataclass(frozen=True)
class DashboardData:
    """Data of the page. A result that is null without an error does not exist yet.

    Attributes:
        at: time of the response (UTC).
    """

    at: datetime
    realtime: PolledResult[RealtimeCounts | None]
    tables: PolledResult[Mapping[str, TableProgress | None]]


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    settings = Settings.load()
    app.state.realtime = PolledSource(partial(read_realtime, Postgres(settings.postgres_url)), PostgresError)
    tables = TableReader(settings)
    app.state.tables = PolledSource(lambda _: tables.read(), LakeError)
    yield


async def _data(request: Request, minutes: Window = Window.QUARTER) -> DashboardData:
    """Return the data of a window that ends now."""
    state = request.app.state
    results = await asyncio.gather(state.realtime.poll(minutes), state.tables.poll(None))
    return DashboardData(datetime.now(UTC), *results)


def create_app() -> FastAPI:
    """Create the app. It loads the settings at startup, and reads Postgres and the lake on request."""
    # The documentation pages of FastAPI load scripts from other hosts.
    app = FastAPI(title="pin_pipeline dashboard", lifespan=_lifespan, docs_url=None, redoc_url=None)
    app.get("/data")(_data)
    app.mount("/", StaticFiles(directory=PAGE, html=True))
    return app


app = create_app()
