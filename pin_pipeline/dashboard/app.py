"""The dashboard as an ASGI app: `uvicorn pin_pipeline.dashboard.app:app --host 127.0.0.1 --port 8083`."""

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

from pin_pipeline import settings as environment
from pin_pipeline.dashboard import realtime
from pin_pipeline.dashboard.realtime import Realtime
from pin_pipeline.dashboard.source import PolledResult, PolledSource
from pin_pipeline.dashboard.tables import LakeError, TableProgress, TableReader
from pin_pipeline.dashboard.windows import Window
from pin_pipeline.storage.postgres import Postgres, PostgresError

PAGE = Path(__file__).parent / "page"


@dataclass(frozen=True)
class Data:
    """All that the page draws, and when it was so; an answer that is missing without a problem is not there yet."""

    at: datetime
    realtime: PolledResult[Realtime | None]
    tables: PolledResult[Mapping[str, TableProgress | None]]


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    settings = environment.load()
    app.state.realtime = PolledSource(partial(realtime.read_realtime, Postgres(settings.postgres_url)), PostgresError)
    tables = TableReader(settings)
    app.state.tables = PolledSource(lambda _: tables.look(), LakeError)
    yield


async def _data(request: Request, minutes: Window = Window.QUARTER) -> Data:
    """What there is of the last so many minutes."""
    state = request.app.state
    found = await asyncio.gather(state.realtime.told(minutes), state.tables.told(None))
    return Data(datetime.now(UTC), *found)


def create_app() -> FastAPI:
    """The app; it reads the environment when it starts, and asks Postgres and the lake when it is asked."""
    # The pages of FastAPI's own load scripts from elsewhere.
    app = FastAPI(title="pin_pipeline dashboard", lifespan=_lifespan, docs_url=None, redoc_url=None)
    app.get("/data")(_data)
    app.mount("/", StaticFiles(directory=PAGE, html=True))
    return app


app = create_app()
